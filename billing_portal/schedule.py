"""What runs when.  One commented line each; every task may run twice without harm."""

from celery.schedules import crontab

BEAT_SCHEDULE = {
    # Provisioned sizes of all datastores, one list request per account, on the hour.
    "record-sizes": {"task": "backups.tasks.record_all_sizes", "schedule": crontab(minute=0)},
    # New call records of every PBX, from where the last import stopped.
    "import-calls": {"task": "pbx.tasks.import_all_calls", "schedule": crontab(minute="*/5")},
    # Jobs a lost broker or a killed worker forgot.
    "sweep-jobs": {"task": "provisioning.tasks.sweep", "schedule": crontab()},
    # Periods that closed since the last look, shortly after each hour.
    "bill-run": {"task": "billing_portal.workflows.tasks.bill_run", "schedule": crontab(minute=10)},
    # How much of what is included, and of their caps, clients have used: after sizes and calls.
    "usage-alerts": {
        "task": "billing_portal.workflows.tasks.tell_usage",
        "schedule": crontab(minute=20),
    },
    # Mails of invoices that were issued and not told of.
    "announce-invoices": {
        "task": "billing_portal.workflows.tasks.announce_invoices",
        "schedule": crontab(minute="*/10"),
    },
    # Reminders, suspensions and the rest of each business day not done yet, missed ones first.
    "tick": {"task": "billing_portal.workflows.tasks.tick", "schedule": crontab(minute="*/5")},
    # Payments asked for whose answer, or whose task, was lost.
    "sweep-captures": {
        "task": "billing_portal.workflows.tasks.sweep_captures",
        "schedule": crontab(),
    },
    # Mails a lost broker forgot.
    "send-mail": {"task": "billing_portal.mail.tasks.send_queued_mail", "schedule": crontab()},
}
