"""Further questions: each kind checks its answer and says in a sentence what is wrong."""

import pytest
from django import forms
from django.core.exceptions import ValidationError

from billing_portal.clients.models import ClientField
from billing_portal.custom_fields import answered, form_field


def question(kind="text", **fields):
    return ClientField(**{"key": "q", "label": "Question", "kind": kind} | fields)


def answer(asked, value):
    """What is stored for an answer, or the sentence that refuses it."""
    form = type("Asked", (forms.Form,), {"q": form_field(asked)})({"q": value})
    return form.cleaned_data["q"] if form.is_valid() else form.errors["q"][0]


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("text", "  DE-7 ", "DE-7"),
        ("link", "example.org/x", "https://example.org/x"),
        ("link", "not a link", "Enter a valid URL."),
        ("long_text", "two\nlines", "two\nlines"),
        ("tick", "on", True),
        ("tick", "", False),
        ("text", "x" * 251, "Ensure this value has at most 250 characters (it has 251)."),
    ],
)
def test_each_kind_stores_its_answer_or_says_why_not(kind, given, stored):
    assert answer(question(kind), given) == stored


@pytest.mark.parametrize(
    ("given", "stored"), [("Red", "Red"), ("green", "Please choose one of the list."), ("", "")]
)
def test_a_choice_is_one_of_its_lines(given, stored):
    assert answer(question("choice", choices="Red\n\n Blue \n"), given) == stored


@pytest.mark.parametrize(
    ("kind", "sentence"), [("text", "Please fill this in."), ("tick", "Please tick this.")]
)
def test_a_required_question_must_be_answered(kind, sentence):
    assert answer(question(kind, required=True), "") == sentence


@pytest.mark.parametrize("given", ["12345", "x1234", "1234\n5", "1234 or 99"])
def test_the_whole_answer_must_match_the_pattern(given):
    asked = question(pattern=r"\d{4}|99")

    assert answer(asked, given) == "This does not look right. Please check it."
    assert (answer(asked, "1234"), answer(asked, "99")) == ("1234", "99")


def test_an_optional_question_with_a_pattern_may_stay_empty():
    assert answer(question(pattern=r"\d{4}"), "") == ""


def test_staff_cannot_ask_what_no_answer_could_match():
    with pytest.raises(ValidationError, match="not a regular expression"):
        question(pattern="(").clean()
    with pytest.raises(ValidationError, match="at least one choice"):
        question("choice", choices=" \n ").clean()


def test_answers_are_read_with_their_labels_in_order():
    asked = [
        question(key="size", label="Size"),
        question("tick", key="terms", label="Terms accepted"),
        question("tick", key="news", label="Newsletter"),
        question(key="never", label="Never asked"),
    ]

    assert answered(asked, {"news": False, "terms": True, "size": "XL", "gone": "x"}) == [
        ("Size", "XL"),
        ("Terms accepted", "Yes"),
        ("Newsletter", "No"),
    ]
