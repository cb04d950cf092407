# One image for web, worker, beat and commands; docker-compose.yml says which.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
COPY requirements/install.txt requirements/prod.txt /requirements/
RUN python -m pip install --require-hashes -r /requirements/install.txt \
 && uv pip install --python /venv/bin/python --require-hashes --compile-bytecode \
    -r /requirements/prod.txt
COPY . /app
WORKDIR /app
# Only the file names matter here; the secrets are made up and stay in this stage.
RUN DEMO=false SECRET_KEY=build ENCRYPTION_KEYS=build DATABASE_URL=postgresql:///build \
    /venv/bin/python manage.py collectstatic --noinput \
 && /venv/bin/python -m compileall -q .

FROM python:3.11-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=billing_portal.settings \
    DEMO=false \
    DATA_DIR=/data
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin portal \
 && install --directory --owner=portal --group=portal --mode=0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER portal
VOLUME /data
EXPOSE 8000
# Any answer below 500 will do: the log-in page is always there.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "deploy/check_web.py"]
# The control socket would let anybody in the container command the server.
CMD ["gunicorn", "billing_portal.wsgi:application", "--bind", "0.0.0.0:8000", \
     "--workers", "3", "--threads", "4", "--no-control-socket", \
     "--access-logfile", "-", "--forwarded-allow-ips", "*"]
