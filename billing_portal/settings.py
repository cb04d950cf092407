"""Every setting, read from the environment once.  `.env.example` lists each variable.

The defaults are the embedded portal: SQLite, an in-memory broker and sandboxes, with
demo keys that production refuses (see `_refuse_demo_secrets`).
"""

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy

from billing_portal.staff.unfold import DASHBOARD

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env_file = Path(env("ENV_FILE", default=str(BASE_DIR / ".env")))
if env_file.exists():
    env.read_env(env_file)

# --- What kind of run this is -------------------------------------------------------------

DEMO_SECRET_KEY = "demo-only-not-a-secret-0123456789-abcdefghijklmnopqrstuvwxyz"
DEMO_ENCRYPTION_KEY = "ZGVtby1vbmx5LW5vdC1hLXNlY3JldC0wMTIzNDU2Nzg="

DEBUG = env.bool("DEBUG", default=False)
DEMO = env.bool("DEMO", default=True)
"""Demo data, sandboxes, the test gateway.  False in production."""
SIMULATION = env.bool("SIMULATION", default=DEMO)
"""Whether `manage.py simulate` may move the portal's clock."""
SECRET_KEY = env("SECRET_KEY", default=DEMO_SECRET_KEY)
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=[DEMO_ENCRYPTION_KEY])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PORTAL_URL = env("PORTAL_URL", default="http://127.0.0.1:8000")
"""Where clients reach the portal; links in mails start with it."""


def _refuse_demo_secrets() -> None:
    if DEMO:
        return
    if SECRET_KEY == DEMO_SECRET_KEY:
        raise ImproperlyConfigured("SECRET_KEY must be set when DEMO is false.")
    if DEMO_ENCRYPTION_KEY in ENCRYPTION_KEYS:
        raise ImproperlyConfigured("ENCRYPTION_KEYS must be set when DEMO is false.")


_refuse_demo_secrets()

# --- The seller ---------------------------------------------------------------------------

SELLER_NAME = env("SELLER_NAME", default="Northwind Hosting")
SELLER_ADDRESS = env(
    "SELLER_ADDRESS", default="12 Harbour Street\\n20457 Hamburg\\nGermany"
).replace("\\n", "\n")
SELLER_TAX_ID = env("SELLER_TAX_ID", default="DE000000000")
SELLER_EMAIL = env("SELLER_EMAIL", default="billing@northwind.example")
SELLER_BANK_ACCOUNT = env(
    "SELLER_BANK_ACCOUNT", default="IBAN DE00 0000 0000 0000 0000 00, BIC DEMODEFF"
)
# In parts, for e-invoices; with a city these are printed instead of the texts above.
SELLER_STREET = env("SELLER_STREET", default="").replace("\\n", "\n")
SELLER_POSTCODE = env("SELLER_POSTCODE", default="")
SELLER_CITY = env("SELLER_CITY", default="")
SELLER_STATE = env("SELLER_STATE", default="")
SELLER_COUNTRY = env("SELLER_COUNTRY", default="")
SELLER_REGISTRATION_ID = env("SELLER_REGISTRATION_ID", default="")
SELLER_CONTACT = env("SELLER_CONTACT", default="")
SELLER_PHONE = env("SELLER_PHONE", default="")
SELLER_IBAN = env("SELLER_IBAN", default="")
SELLER_BIC = env("SELLER_BIC", default="")
ATTACH_INVOICES = env.bool("ATTACH_INVOICES", default=True)
"""Whether the mail about a new invoice carries its PDF; it is drawn when the mail is sent."""
SELLER_TIMEZONE = env("SELLER_TIMEZONE", default="UTC")
"""Calendar days (anchors, due dates, invoice dates) are days of this zone."""
DEFAULT_CURRENCY = env("DEFAULT_CURRENCY", default="EUR")
PAYMENT_TERM_DAYS = env.int("PAYMENT_TERM_DAYS", default=14)
INVOICE_LEAD_DAYS = env.int("INVOICE_LEAD_DAYS", default=0)
"""How many days before a period starts its invoice is issued; 0 puts the new period and
the usage of the old one on one invoice."""
USAGE_SETTLE_MINUTES = env.int("USAGE_SETTLE_MINUTES", default=120)
"""How long after a period ends its usage is billed, so late records are in."""

IP_COUNTRY_HEADER = env("IP_COUNTRY_HEADER", default="")
"""The header in which a proxy gives the country of the visitor's IP address, if one does."""
EXCHANGE_RATES_URL = env("EXCHANGE_RATES_URL", default="")
"""Where the daily automation gets exchange rates, in the ECB's daily XML; empty: nowhere."""
VIES_URL = env("VIES_URL", default="")
"""Base address of the EU's register of VAT ids; empty: nobody is asked, and no id counts as
checked unless staff record an answer."""

# --- Applications -------------------------------------------------------------------------

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.simple_history",
    "billing_portal.staff.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_countries",
    "django_htmx",
    "js_lib_bootstrap5",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "post_office",
    "simple_history",
    "billing_portal.clock",
    "billing_portal.accounts",
    "billing_portal.audit",
    "billing_portal.mail",
    "billing_portal.clients",
    "billing_portal.products",
    "billing_portal.promotions",
    "billing_portal.taxes",
    "billing_portal.services",
    "provisioning",
    "billing_portal.invoices",
    "pbx",
    "backups",
    "billing_portal.orders",
    "billing_portal.quotes",
    "billing_portal.billables",
    "billing_portal.payments",
    "billing_portal.automation",
    "billing_portal.workflows",
    "billing_portal.staff",
    "billing_portal.clientarea",
]

PORTAL_MODULES = {
    "remote_backups": "backups.module.RemoteBackupsModule",
    "fusionpbx": "pbx.module.FusionPbxModule",
}
"""Product modules by key.  Packages may add more (entry points `billing_portal.modules`)."""

PAYMENT_GATEWAYS = ["billing_portal.payments.gateways.bank_transfer.BankTransfer"]
if DEMO:
    PAYMENT_GATEWAYS.append("billing_portal.payments.gateways.sandbox.TestGateway")
TEST_GATEWAY_SECRET = env("TEST_GATEWAY_SECRET", default="")
"""What signs the test gateway's events at /webhooks/test/; empty: none is taken there."""

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "billing_portal.staff.middleware.StaffContentSecurityPolicy",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "billing_portal.clientarea.middleware.ActingClientMiddleware",
]

ROOT_URLCONF = "billing_portal.urls"
WSGI_APPLICATION = "billing_portal.wsgi.application"
ASGI_APPLICATION = "billing_portal.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "billing_portal.clientarea.context.portal",
            ],
        },
    },
]

# --- Data ---------------------------------------------------------------------------------

DATA_DIR = Path(env("DATA_DIR", default=str(BASE_DIR / "var")))
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'portal.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATA_DIR.mkdir(parents=True, exist_ok=True)  # SQLite makes files, not folders
    DATABASES["default"]["OPTIONS"] = {
        # DEFERRED transactions that upgrade to a write fail at once under load.
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
"""Log-in rate limits are counted here, so several web processes must share one cache."""

# --- Queue --------------------------------------------------------------------------------

CELERY_BROKER_URL = env("CELERY_BROKER_URL", default="memory://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 15 * 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# What is sent stands in the database too, so nobody waits long for a broker that is silent.
CELERY_TASK_PUBLISH_RETRY = False
# A message of a killed worker comes back after this long; the job sweep is faster anyway.
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, float] = (
    {
        "visibility_timeout": 20 * 60,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 3,
        "socket_timeout": 5,
    }
    if CELERY_BROKER_URL.startswith("redis")
    else {"polling_interval": 0.1}
)
JOB_LEASE_S = env.int("JOB_LEASE_S", default=120)
"""How long a worker may hold a job before another may take it over."""

# --- Sandboxes ----------------------------------------------------------------------------

SANDBOX_BACKUPS_URL = env("SANDBOX_BACKUPS_URL", default="http://127.0.0.1:8001")
SANDBOX_PBX_URL = env("SANDBOX_PBX_URL", default="http://127.0.0.1:8002")

# --- Accounts -----------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = reverse_lazy("account_login")
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = env("ACCOUNT_EMAIL_VERIFICATION", default="optional")
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_FORMS = {"signup": "billing_portal.clientarea.forms.SignupForm"}
ACCOUNT_ADAPTER = "billing_portal.accounts.adapter.PortalAccountAdapter"
ACCOUNT_PREVENT_ENUMERATION = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]

# --- Mail ---------------------------------------------------------------------------------

# Every mail is a row first (post_office); the transport behind it is EMAIL_URL.
_transport = env.email_url("EMAIL_URL", default="filemail://")
EMAIL_BACKEND = "post_office.EmailBackend"
EMAIL_HOST = _transport.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = _transport.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = _transport.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = _transport.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(_transport.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_transport.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 20
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
POST_OFFICE = {
    "BACKENDS": {"default": _transport["EMAIL_BACKEND"]},
    "DEFAULT_PRIORITY": "medium",
    "CELERY_ENABLED": False,
    "MAX_RETRIES": 4,
}
MAIL_PAPERS = {
    "quote_delivered": "billing_portal.quotes.mailing.quote_papers",
    "invoice_issued": "billing_portal.invoices.mailing.invoice_paper",
    "credit_note_issued": "billing_portal.invoices.mailing.credit_note_paper",
}
"""What a mail carries besides its text: by template, the function that draws it."""
if not ATTACH_INVOICES:
    MAIL_PAPERS = {}
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"{SELLER_NAME} <{SELLER_EMAIL}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Web ----------------------------------------------------------------------------------

STATIC_URL = "/static/"
# The demo serves files from where they lie; production collects them first.
STATIC_ROOT = None if DEMO else BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "billing_portal" / "static"]
WHITENOISE_USE_FINDERS = DEMO
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
LANGUAGE_CODE = "en"
TIME_ZONE = SELLER_TIMEZONE
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["billing_portal.formats"]

CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/staff/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "object-src": [NONE],
    },
}
STAFF_CONTENT_SECURITY_POLICY = {
    "default-src": [SELF],
    # Unfold's Alpine evaluates attributes.
    "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
    "style-src": [SELF, UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
    "frame-ancestors": [NONE],
    "base-uri": [SELF],
    "form-action": [SELF],
    "object-src": [NONE],
}

BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
# Whose address counts for log-in limits and as evidence of where a client signed up.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_TLS_PROXY else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEMO
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 0 if DEMO else 31_536_000
X_FRAME_OPTIONS = "DENY"
UNFOLD = DASHBOARD
SIMPLE_HISTORY_REVERT_DISABLED = True
"""Earlier details are for looking; going back is an edit like any other."""

# --- Logs ---------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},
        # It warns that a queue in memory has no host name.
        "kombu.connection": {"level": "ERROR"},
        "httpcore": {"level": "WARNING"},
        "pbx.agent.access": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
        "fpdf": {"level": "WARNING"},
    },
}
