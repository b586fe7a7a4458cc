"""The tables of the page, from made jobs."""

from __future__ import annotations

from experiment.records import Kind
from experiment.tables import crossover, in_full, pauses, reference, with_tables
from tests.unit.docs.pages import table
from tests.unit.experiment.made import both


def test_a_row_for_each_seed_then_the_mean_then_aws() -> None:
    text = reference([*both(seed=1), *both(seed=2)]).in_full()
    first, second, mean, aws = table(text)
    assert " ".join(first) == "seed 1 0.8000 0.8000 +0.0000 40 s 36 s 10 % 8 % 1.0 12 % 6 % 0.0000"
    assert second[1:] == first[1:]
    assert mean[:4] == ["mean of 2 seeds", "0.8000 ± 0.0000", "0.8000 ± 0.0000", "+0.0000 ± 0.0000"]
    assert mean[-4:] == ["1.0 ± 0.0", "12 ± 0 %", "6 ± 0 %", "0.0000 ± 0.0000"]
    assert len(aws) == len(first)
    assert text.endswith("\nMeasured on 2026-01-01, with 2 cores and a scrape each 5 s.\n")


def test_the_page_has_a_column_for_the_mean_and_one_for_aws() -> None:
    text = reference([*both(seed=1), *both(seed=2)]).summed_up()
    assert text.startswith("| | mean of 2 seeds | Amazon SageMaker, 2018 |\n")
    assert ["saved", "10 ± 0 %", "23 %"] in table(text)
    assert "seed 1" not in text
    assert text.endswith("\nMeasured on 2026-01-01, with 2 cores and a scrape each 5 s.\n")


def test_a_mean_of_one_has_no_spread() -> None:
    _, mean, _ = table(reference(both()).in_full())
    assert mean[1] == "0.8000"


def test_a_row_for_each_length_of_a_trial() -> None:
    records = [record for seconds in (1.0, 2.5) for record in both(kind=Kind.CROSSOVER, epoch_seconds=seconds)]
    assert [" ".join(row) for row in table(crossover(records).summed_up())] == [
        "4 s 40 s 36 s 10 % +0.0000 5.0 s 2.0 s 12 %",
        "10 s 40 s 36 s 10 % +0.0000 3.5 s 2.0 s 12 %",
    ]


def test_a_row_for_each_seed_of_what_pauses_change() -> None:
    seed, mean = table(pauses(both(kind=Kind.PAUSES)).in_full())
    assert " ".join(seed) == "seed 1 36 s 40 s 0.8000 0.9000 +0.0000 1.0 1.0"
    assert mean[-2:] == ["1.0", "1.0"]


def test_the_terminal_has_every_seed_of_every_experiment() -> None:
    text = in_full([*both(seed=1), *both(seed=2), *both(kind=Kind.PAUSES, seed=3)])
    assert [text.count(f"| seed {seed} |") for seed in (1, 2, 3)] == [1, 1, 1]


def test_tables_stand_between_their_comments_and_prose_stays() -> None:
    page = "# A\n\n<!-- begin: reference -->\nold\n<!-- end: reference -->\n\nWords.\n"
    new = with_tables(page, both())
    figures = reference(both()).summed_up()
    assert new == f"# A\n\n<!-- begin: reference -->\n\n{figures}\n<!-- end: reference -->\n\nWords.\n"
    assert with_tables(new, both()) == new
