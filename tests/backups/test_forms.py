"""What staff and clients may enter, and the sentence for what they may not."""

import pytest

from backups.module import RemoteBackupsModule
from provisioning.contract import RemoteRejected


def spec(size_gb):
    return {"size_gb": size_gb, "name_prefix": "backup"}


def size_errors(value):
    form = RemoteBackupsModule.order_form({"max_size_gb": 2000})({"size_gb": value})
    return form.errors.get("size_gb", [])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("499", "499 GB is too small: the smallest size is 500 GB."),
        ("550", "The size goes in steps of 100 GB: 500 or 600 GB, not 550 GB."),
        ("2100", "2100 GB is too large: the largest size is 2000 GB."),
        ("lots", "Enter a whole number."),
        ("", "This field is required."),
    ],
)
def test_the_order_form_says_in_one_sentence_what_is_wrong(value, sentence):
    assert size_errors(value) == [sentence]


def test_the_order_form_offers_only_what_can_be_ordered():
    form = RemoteBackupsModule.order_form({"size_gb": 700, "max_size_gb": 2000})()

    html = str(form["size_gb"])

    assert 'value="700"' in html
    assert 'min="500" max="2000" step="100"' in html


def test_the_answer_goes_into_the_spec_with_the_products_prefix():
    form = RemoteBackupsModule.order_form({"name_prefix": "nas"})({"size_gb": "600"})
    assert form.is_valid()

    assert RemoteBackupsModule.spec_for({"name_prefix": "nas"}, form.cleaned_data) == {
        "size_gb": 600,
        "name_prefix": "nas",
    }
    assert RemoteBackupsModule.spec_for({"size_gb": 800}, {}) == spec(800)


def test_a_product_may_not_allow_what_the_vendor_does_not():
    form = RemoteBackupsModule.settings_form(
        {"size_gb": "500", "min_size_gb": "100", "max_size_gb": "20000", "name_prefix": "b 1"}
    )

    assert form.errors == {
        "min_size_gb": ["100 GB is too small: the smallest size is 500 GB."],
        "max_size_gb": ["20000 GB is too large: the largest size is 10000 GB."],
        "name_prefix": ["Letters, digits and hyphens, with a letter or digit at both ends."],
    }


def test_a_products_default_size_lies_between_its_limits():
    def errors(smallest, size, largest):
        return RemoteBackupsModule.settings_form(
            {
                "min_size_gb": smallest,
                "size_gb": size,
                "max_size_gb": largest,
                "name_prefix": "backup",
            }
        ).errors

    assert errors(600, 500, 1000) == {"size_gb": ["The default must be from 600 to 1000 GB."]}
    assert errors(1000, 700, 600) == {"max_size_gb": ["The largest size is below the smallest."]}
    assert errors(600, 600, 600) == {}


def test_check_spec_uses_the_products_own_largest_size():
    RemoteBackupsModule.check_spec({"max_size_gb": 2000}, spec(2000))
    with pytest.raises(RemoteRejected) as caught:
        RemoteBackupsModule.check_spec({"max_size_gb": 2000}, spec(2100))

    assert str(caught.value) == "2100 GB is too large: the largest size is 2000 GB."
