"""The mails about changing, cancelling and keeping a service, as shipped."""

from billing_portal.mail.wording import CLOSING, MailTemplate

SERVICE_TEMPLATES: dict[str, MailTemplate] = {
    "service_changed": MailTemplate(
        description="When a change of a service is done.",
        category="services",
        subject="{{ service }} has changed",
        text=(
            "Hello {{ client }},\n\nyour change is done: {{ service }} is now {{ summary }}."
            "{% if credit %}\n\n{{ credit }} for the time you had paid already are your credit "
            "now. Your next invoices use it.{% endif %}" + CLOSING
        ),
    ),
    "change_expired": MailTemplate(
        description="When a change of a service was not paid in time.",
        category="services",
        subject="{{ service }} stays as it is",
        text=(
            "Hello {{ client }},\n\nyou asked to change {{ service }} to {{ summary }}. Invoice "
            "{{ number }} for it was not paid in time, so we have cancelled it: you owe nothing "
            "for it, and the service stays as it is. You can ask for the change again at any "
            "time:" + CLOSING
        ),
    ),
    "job_failed_staff": MailTemplate(
        description="To staff: work at a vendor failed for good.",
        category="staff",
        subject="{{ what }} of {{ service }} failed",
        text=(
            "{{ what }} of {{ service }} ({{ client }}) failed and is not tried again by itself:"
            "\n\n{{ error }}\n\nIt waits in the job queue, where you can retry it or mark it as "
            "resolved:" + CLOSING
        ),
    ),
    "change_failed_staff": MailTemplate(
        description="To staff: a change of a service needs a person.",
        category="staff",
        subject="{{ service }} of {{ client }} does not become {{ summary }}",
        text=(
            "{{ client }} changes {{ service }} to {{ summary }}, and that needs you:\n\n"
            "{{ problem }}" + CLOSING
        ),
    ),
    "cancellation_noted": MailTemplate(
        description="When a client cancels a service.",
        category="services",
        subject="{{ service }} is cancelled",
        text=(
            "Hello {{ client }},\n\nwe have noted that you give {{ service }} up."
            "{% if not now %} It runs until the day before {{ ends_on }} and is not invoiced for "
            "more. Until then you can keep it after all.{% endif %}{% if invoices %}\n\nWhat was "
            "invoiced for later is taken back: {{ invoices }}.{% endif %} What is used until the "
            "end is on a last invoice." + CLOSING
        ),
    ),
    "cancellation_staff": MailTemplate(
        description="To staff: a client cancels a service.",
        category="staff",
        subject="{{ client }} cancels {{ service }}",
        text=(
            "{{ client }} cancels {{ service }}, {% if now %}at once{% else %}to {{ ends_on }}"
            "{% endif %}.\n\nReason: {{ reason }}" + CLOSING
        ),
    ),
    "service_ended": MailTemplate(
        description="When a cancelled service has ended.",
        category="services",
        subject="{{ service }} has ended",
        text=(
            "Hello {{ client }},\n\n{{ service }} has ended, as you wished.{% if kept %}\n\nIts "
            "data is kept until {{ deletes_on }} and then deleted for good. Until then you can "
            "keep the service, with everything in it:{% endif %}" + CLOSING
        ),
    ),
    "service_kept": MailTemplate(
        description="When a client keeps a service it had cancelled.",
        category="services",
        subject="{{ service }} goes on",
        text=(
            "Hello {{ client }},\n\nyou keep {{ service }}. It goes on as before and is invoiced "
            "as before." + CLOSING
        ),
    ),
    "deletion_notice": MailTemplate(
        description="A week before the data of a cancelled service is deleted.",
        category="services",
        subject="The data of {{ service }} will be deleted on {{ deletes_on }}",
        text=(
            "Hello {{ client }},\n\n{{ service }} has ended, and its data will be deleted on "
            "{{ deletes_on }}. That cannot be taken back. Until then you can keep the service:"
            + CLOSING
        ),
    ),
    "deletion_last_notice": MailTemplate(
        description="The day before the data of a cancelled service is deleted.",
        category="services",
        subject="Last notice: the data of {{ service }} will be deleted on {{ deletes_on }}",
        text=(
            "Hello {{ client }},\n\nthe data of {{ service }} will be deleted on "
            "{{ deletes_on }}. That cannot be taken back. If you need anything in it, keep the "
            "service now:" + CLOSING
        ),
    ),
    "usage_alert": MailTemplate(
        description="When half, 80 % or all of what is included, or of a cap, is used.",
        category="services",
        subject="{{ service }}: {{ percent }} % of {{ limit }}",
        text=(
            "Hello {{ client }},\n\n{{ service }} has used {{ used }} of {{ limit }}: "
            "{{ percent }} %.{% if stands %} That is the average of the whole month, if the size "
            "stays as it is.{% endif %}\n\nThe usage of this month costs {{ so_far }} so far and "
            "will probably come to {{ expected }}. The month has {{ days_left }} "
            "day{{ days_left|pluralize }} left."
            "{% if is_cap %} Your cap warns you and keeps you from making the service larger; it "
            "does not switch anything off.{% elif is_spent %} What is used beyond it is on your "
            "next invoice.{% endif %}{% if cheaper %}\n\n{{ cheaper }} You can change to it on "
            "the page of the service.{% endif %}\n\nYou see it from hour to hour here:" + CLOSING
        ),
    ),
    "usage_cap_staff": MailTemplate(
        description="To staff: the usage of a service has reached its cap.",
        category="staff",
        subject="{{ service }} of {{ client }} has reached its cap of {{ cap }}",
        text=(
            "The usage of {{ service }} of {{ client }} comes to {{ cost }} this month. Its cap is "
            "{{ cap }}, and the month has {{ days_left }} day{{ days_left|pluralize }} left.\n\n"
            "The client was told. Nothing is switched off:" + CLOSING
        ),
    ),
}
