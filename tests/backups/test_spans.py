"""What sightings and the vendor's log say about sizes, in numbers worked by hand."""

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backups.answers import Rescale
from backups.spans import Sighting, Source, Span, first_span, follow

GB = 10**9
START = datetime(2026, 11, 10, tzinfo=UTC)


def at(hour, minute=0, second=0):
    return START + timedelta(hours=hour, minutes=minute, seconds=second)


def span(size_gb, starts, first, last, ends=None, source=Source.POLL):
    return Span(size_gb * GB, starts, first, last, ends, source)


def sees(moment, size_gb, *changes, **options):
    log = [Rescale(when, before, after) for when, before, after in changes]
    return Sighting(moment, size_gb * GB, log, **options)


STANDING = span(500, at(8), at(8), at(10))


def after(sighting, present=STANDING, charged_until=None):
    return follow(present, sighting, charged_until=charged_until)


# --- The first sighting ---


def test_a_datastore_stands_since_the_vendor_created_it():
    assert first_span(sees(at(10), 500), created_at=at(9, 13)) == span(
        500, at(9, 13), at(10), at(10), source=Source.CREATED
    )


def test_without_the_vendors_word_it_stands_since_it_was_seen():
    assert first_span(sees(at(10), 500), created_at=None) == span(500, at(10), at(10), at(10))


def test_a_vendors_clock_ahead_of_ours_starts_nothing_in_the_future():
    assert first_span(sees(at(10), 500), created_at=at(10, 0, 5)).starts_at == at(10)


# --- The same size again ---


def test_the_same_size_extends_the_span():
    assert after(sees(at(11), 500)) == [span(500, at(8), at(8), at(11))]


def test_the_same_moment_again_changes_nothing():
    assert after(sees(at(10), 500)) == [STANDING]


def test_an_older_sighting_is_no_news():
    assert after(sees(at(9), 900)) == [STANDING]


def test_a_missed_look_leaves_a_gap_that_can_be_seen():
    assert after(sees(at(11, 30), 500)) == [span(500, at(8), at(8), at(11, 30))]
    assert after(sees(at(12), 500)) == [
        span(500, at(8), at(8), at(10), at(12)),
        span(500, at(12), at(12), at(12)),
    ]


# --- A change only the sightings prove ---


def test_an_increase_counts_from_when_it_was_first_seen():
    assert after(sees(at(11), 600)) == [
        span(500, at(8), at(8), at(10), at(11)),
        span(600, at(11), at(11), at(11)),
    ]


def test_a_decrease_counts_from_when_the_old_size_was_last_seen():
    assert after(sees(at(11), 400)) == [
        span(500, at(8), at(8), at(10), at(10)),
        span(400, at(10), at(11), at(11)),
    ]


def test_a_size_seen_only_once_before_a_decrease_has_no_length():
    once = span(600, at(10), at(10), at(10))

    assert after(sees(at(11), 500), once) == [
        span(600, at(10), at(10), at(10), at(10)),
        span(500, at(10), at(11), at(11)),
    ]


def test_our_own_change_counts_from_its_own_moment_in_both_directions():
    for size_gb in (400, 600):
        assert after(sees(at(10, 20), size_gb, is_ours=True)) == [
            span(500, at(8), at(8), at(10), at(10, 20)),
            span(size_gb, at(10, 20), at(10, 20), at(10, 20), source=Source.JOB),
        ]


def test_a_change_seen_at_the_moment_of_the_last_sighting_is_not_lost():
    assert after(sees(at(10), 600)) == [
        span(500, at(8), at(8), at(10), at(10)),
        span(600, at(10), at(10), at(10)),
    ]


def test_what_is_on_an_invoice_stays():
    late = after(sees(at(13), 400), charged_until=at(12))

    assert late == [
        span(500, at(8), at(8), at(10), at(12)),
        span(400, at(12), at(13), at(13)),
    ]


# --- With the vendor's log ---


def test_the_log_gives_every_change_its_exact_moment():
    spans = after(
        sees(at(11), 700, (at(10, 5), 500, 900), (at(10, 50), 900, 600), (at(10, 55), 600, 700))
    )

    assert spans == [
        span(500, at(8), at(8), at(10, 5), at(10, 5)),
        span(900, at(10, 5), at(10, 5), at(10, 50), at(10, 50), Source.LOG),
        span(600, at(10, 50), at(10, 50), at(10, 55), at(10, 55), Source.LOG),
        span(700, at(10, 55), at(10, 55), at(11), source=Source.LOG),
    ]


def test_what_the_log_told_before_is_not_told_again():
    grown = span(600, at(9, 59, 30), at(10), at(10), source=Source.LOG)
    log = ((at(9, 59, 30), 500, 600), (at(10, 30), 600, 700))

    assert [one.starts_at for one in after(sees(at(11), 700, *log), grown)] == [
        at(9, 59, 30),
        at(10, 30),
    ]


def test_a_vendors_clock_a_little_behind_ours_is_understood():
    spans = after(sees(at(11), 600, (at(9, 59, 50), 500, 600)))

    assert [(one.size_bytes // GB, one.starts_at, one.source) for one in spans] == [
        (500, at(8), Source.POLL),
        (600, at(10), Source.LOG),
    ]


def test_a_vendors_clock_a_little_ahead_of_ours_is_understood():
    spans = after(sees(at(11), 600, (at(11, 0, 20), 500, 600)))

    assert spans[-1] == span(600, at(11), at(11), at(11), source=Source.LOG)


def test_a_log_that_does_not_fit_is_not_believed():
    expected = after(sees(at(11), 700))

    for log in (
        [(at(10, 30), 600, 700)],  # its beginning is missing
        [(at(10, 30), 500, 600)],  # its end is missing
        [(at(10, 20), 500, 550), (at(10, 30), 600, 700)],  # its middle is missing
        [(at(7), 500, 700)],  # long before
        [(at(12), 500, 700)],  # long after
    ):
        assert after(sees(at(11), 700, *log)) == expected


def test_sizes_between_two_whole_gb_are_kept_to_the_byte():
    half = Rescale(at(10, 30), 500, Fraction(536870912, 10**6))
    seen = Sighting(at(11), 536_870_912_000, [half])

    assert after(seen)[-1].size_bytes == 536_870_912_000
    assert after(seen)[-1].source == Source.LOG


# --- Any history ---

HOURS = 12
CHANGES = st.dictionaries(
    st.integers(1, HOURS * 60 - 1), st.sampled_from(range(500, 1500, 100)), max_size=8
)


class Truth:
    """What really stood, minute by minute: 500 GB, then every change of `changes`."""

    def __init__(self, changes):
        self.minutes = [0, *sorted(changes)]
        self.sizes = [500, *(changes[minute] for minute in sorted(changes))]

    def size_gb(self, minute):
        return self.sizes[bisect_right(self.minutes, minute) - 1]

    def gb_minutes(self, first, end):
        return sum(self.size_gb(minute) for minute in range(first, end))

    def log(self):
        pairs = zip(self.minutes[1:], pairwise(self.sizes), strict=True)
        return [Rescale(at(0, minute), old, new) for minute, (old, new) in pairs if old != new]


def recorded(truth, hours, *, with_log):
    """The spans of looking at the given hours."""
    spans = [first_span(sees(at(0), truth.size_gb(0)), created_at=None)]
    for hour in hours:
        seen = sees(at(hour), truth.size_gb(hour * 60))
        if with_log and seen.size_bytes != spans[-1].size_bytes:
            seen = replace(seen, log=truth.log())
        spans[-1:] = follow(spans[-1], seen, charged_until=None)
    return spans


def gb_minutes(spans, end):
    total = Fraction()
    for one in spans:
        length = (one.ends_at or end) - one.starts_at
        total += Fraction(one.size_bytes, GB) * Fraction(length // timedelta(seconds=1), 60)
    return total


@given(CHANGES, st.sets(st.integers(1, HOURS)), st.booleans())
def test_spans_follow_each_other_without_a_break(changes, hours, with_log):
    truth = Truth(changes)

    spans = recorded(truth, sorted(hours), with_log=with_log)

    last_hour = max(hours, default=0)
    assert spans[0].starts_at == at(0)
    assert [one.ends_at for one in spans[:-1]] == [one.starts_at for one in spans[1:]]
    assert spans[-1].ends_at is None
    assert spans[-1].last_seen_at == at(last_hour)
    assert spans[-1].size_bytes == truth.size_gb(last_hour * 60) * GB
    for one in spans:
        assert one.starts_at <= one.first_seen_at <= one.last_seen_at
        assert one.ends_at is None or one.last_seen_at <= one.ends_at


@given(CHANGES)
def test_sightings_alone_count_the_smaller_of_two_sizes(changes):
    truth = Truth(changes)

    spans = recorded(truth, range(1, HOURS + 1), with_log=False)

    seen = [truth.size_gb(hour * 60) for hour in range(HOURS + 1)]
    expected = sum(min(pair) * 60 for pair in pairwise(seen))
    assert gb_minutes(spans, at(HOURS)) == expected


@given(CHANGES)
def test_with_the_log_every_hour_that_saw_a_change_is_exact_to_the_minute(changes):
    truth = Truth(changes)

    spans = recorded(truth, range(1, HOURS + 1), with_log=True)

    expected = 0
    for hour in range(HOURS):
        first, end = hour * 60, hour * 60 + 60
        unchanged = truth.size_gb(first) == truth.size_gb(end)
        expected += truth.size_gb(first) * 60 if unchanged else truth.gb_minutes(first, end)
    assert gb_minutes(spans, at(HOURS)) == expected


@given(CHANGES, st.sets(st.integers(1, HOURS)))
def test_looking_twice_is_looking_once(changes, hours):
    truth = Truth(changes)
    twice = [hour for hour in sorted(hours) for _ in range(2)]

    assert recorded(truth, twice, with_log=True) == recorded(truth, sorted(hours), with_log=True)
