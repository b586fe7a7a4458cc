"""The tables of the page, from made jobs."""

from __future__ import annotations

from experiment.records import Kind
from experiment.tables import crossover, pauses, reference, with_tables
from tests.unit.docs.pages import table
from tests.unit.experiment.made import both


def test_a_row_for_each_seed_then_the_mean_then_aws() -> None:
    text = reference([*both(seed=1), *both(seed=2)])
    first, second, mean, aws = table(text)
    numbers = "0.8000 0.8000 +0.0000 40 s 36 s 10 % 8 %"
    assert " ".join(first) == f"seed 1 {numbers} 1 of 4 14 of 16 6 % 0.0000"
    assert second[1:] == first[1:]
    assert mean[:4] == ["**mean**", "0.8000 ± 0.0000", "0.8000 ± 0.0000", "+0.0000 ± 0.0000"]
    assert mean[-4:] == ["1.0 ± 0.0", "12 ± 0 % not trained", "6 ± 0 %", "0.0000 ± 0.0000"]
    assert len(aws) == len(first)
    assert text.endswith("\nMeasured on 2026-01-01, with 2 cores and a scrape each 5 s.\n")


def test_a_mean_of_one_has_no_spread() -> None:
    _, mean, _ = table(reference(both()))
    assert mean[1] == "0.8000"


def test_a_row_for_each_length_of_a_trial() -> None:
    records = [record for seconds in (1.0, 2.5) for record in both(kind=Kind.CROSSOVER, epoch_seconds=seconds)]
    assert [" ".join(row) for row in table(crossover(records))] == [
        "4 s 40 s 36 s 10 % 8 % 0.8000 0.8000 5.0 s 2.0 s 1 of 4 14 of 16",
        "10 s 40 s 36 s 10 % 8 % 0.8000 0.8000 3.5 s 2.0 s 1 of 4 14 of 16",
    ]


def test_a_row_for_each_seed_of_what_pauses_change() -> None:
    seed, mean = table(pauses(both(kind=Kind.PAUSES)))
    assert " ".join(seed) == "seed 1 36 s 40 s 0.8000 0.9000 0.8000 0.8000 1 1"
    assert mean[-2:] == ["1.0", "1.0"]


def test_tables_stand_between_their_comments_and_prose_stays() -> None:
    page = "# A\n\n<!-- begin: reference -->\nold\n<!-- end: reference -->\n\nWords.\n"
    new = with_tables(page, both())
    assert new == f"# A\n\n<!-- begin: reference -->\n\n{reference(both())}\n<!-- end: reference -->\n\nWords.\n"
    assert with_tables(new, both()) == new
