from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime.fakes import answer, prometheus_server, series
from tuning_operator.api.termination import MAX_EPOCH
from tuning_operator.core.model.curves import Curve
from tuning_operator.runtime.prometheus import client as prometheus
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.client import Prometheus
from tuning_operator.runtime.prometheus.epochs import EPOCHS, build_query, parse_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

METRIC = "validation:accuracy"
PODS = {"job-0001-1": METRIC, "job-0002-1": METRIC}
WINDOWS = dict.fromkeys(PODS, 300_000)

# The question


def test_the_question_is_the_documented_one() -> None:
    assert build_query("ns", {"b-0001-1": 300_000, "a-0001-1": 300_000}, [METRIC]) == (
        "max by (pod, metric, epoch) (last_over_time(tuning_epoch_value{"
        r'namespace="ns",pod=~"a\\-0001\\-1|b\\-0001\\-1",metric=~"validation:accuracy",'
        'epoch=~"(0|[1-9][0-9]{0,3}|[1-3][0-9]{4})([.][0-9]{0,5}[1-9])?"}[300000ms]))'
    )


def test_a_young_pod_has_a_window_of_its_own() -> None:
    query = build_query("ns", {"a": 300_000, "b": 12_900, "c": 300_000}, ["m"])
    assert re.sub(r',epoch=~"[^"]*"', "", query) == (
        "max by (pod, metric, epoch) ("
        'last_over_time(tuning_epoch_value{namespace="ns",pod=~"b",metric=~"m"}[12900ms]) or '
        'last_over_time(tuning_epoch_value{namespace="ns",pod=~"a|c",metric=~"m"}[300000ms]))'
    )


def test_the_question_is_about_the_epochs_that_are_taken_and_no_others() -> None:
    """Else a trainer could fill the answer, which is one for all trials of a namespace, with its own texts."""
    assert [number for number in range(100_001) if re.fullmatch(EPOCHS, str(number))] == list(range(MAX_EPOCH + 1))


GO_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", '"': '"', "\\": "\\", "a": "\a", "v": "\v"}
STRING = re.compile(r'"((?:[^"\\\n]|\\(?:[abfnrtv"\\]|u[0-9a-fA-F]{4}))*)"')


def unquote(text: str) -> str:
    """Read a PromQL string literal (Go's rules)."""
    return re.sub(
        r"\\(u[0-9a-fA-F]{4}|.)",
        lambda found: chr(int(found[1][1:], 16)) if len(found[1]) > 1 else GO_ESCAPES[found[1]],
        text,
    )


def selector(query: str) -> Iterator[tuple[str, str, str]]:
    """The matchers of the query, which must consist of nothing else but its fixed frame."""
    frame = "max by (pod, metric, epoch) (last_over_time(tuning_epoch_value{", "}[300000ms]))"
    assert query.startswith(frame[0])
    assert query.endswith(frame[1])
    rest = query.removeprefix(frame[0]).removesuffix(frame[1])
    while rest:
        match = re.compile(r"(\w+)(=~?)" + STRING.pattern + r"(?:,|$)").match(rest)
        assert match, f"not a matcher: {rest!r}"
        yield match[1], match[2], unquote(match[3])
        rest = rest[match.end() :]


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20) | st.sampled_from(
    [
        "\N{REPLACEMENT CHARACTER}",
        '"',
        "\\",
        '"}',
        "a.b",
        "a|b",
        ".*",
        "\\d",
        "a\nb",
        '",pod=~".*',
        "validation:accuracy@5",
    ]
)


@given(names, st.lists(names, min_size=1, max_size=3), st.lists(names, min_size=1, max_size=3))
def test_whatever_the_names_it_is_one_selector_that_matches_them_alone(
    namespace: str, pods: list[str], metrics: list[str]
) -> None:
    query = build_query(namespace, dict.fromkeys(pods, 300_000), metrics)
    assert "\N{REPLACEMENT CHARACTER}" not in query
    found = list(selector(query))
    assert [(label, operator) for label, operator, _ in found] == [
        ("namespace", "="),
        ("pod", "=~"),
        ("metric", "=~"),
        ("epoch", "=~"),
    ]
    assert found[0][2] == namespace
    for wanted, (_, _, pattern) in ((pods, found[1]), (metrics, found[2])):
        assert all(re.fullmatch(pattern, name) for name in wanted)
        for other in ("x", "job-0001-1", *(name + "x" for name in wanted), *(name[1:] for name in wanted)):
            assert bool(re.fullmatch(pattern, other)) is (other in wanted)


# The answer


def parse(body: object) -> dict[str, list[tuple[float, float]]]:
    return {pod: [(epoch, value) for epoch, value in curve] for pod, curve in parse_answer(body, PODS).items()}


def test_an_answer_has_a_curve_for_each_pod_that_was_asked_about() -> None:
    found = parse(answer(series("job-0001-1", [(2, "0.2"), (1, "0.1")]), series("job-9999-1", [(1, "1")])))
    assert found == {"job-0001-1": [(1, 0.1), (2, 0.2)], "job-0002-1": []}


def test_values_that_are_not_finite_are_values() -> None:
    values = [
        value for _, value in parse(answer(series("job-0001-1", [(1, "NaN"), (2, "+Inf"), (3, "-Inf")])))["job-0001-1"]
    ]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "epoch",
    [
        "",
        "-1",
        "1.0",
        "01",
        "+1",
        "1e3",
        str(MAX_EPOCH + 1),
        "9" * 50,
        "x",
        "\u0661",
        " 1",
        "0.50",
        "0.5000001",
        ".5",
        "1.",
        "0.0",
        "1,5",
        f"{MAX_EPOCH}.5",
    ],
)
def test_an_epoch_that_is_none_is_left_out(epoch: str) -> None:
    """Two ways to write an epoch would be two values of it."""
    assert parse(answer(series("job-0001-1", [(epoch, "0.5"), (1, "0.1")])))["job-0001-1"] == [(1, 0.1)]


@pytest.mark.parametrize(
    ("epoch", "number"), [("0", 0), ("7", 7), ("0.5", 0.5), ("12.000001", 12.000001), (str(MAX_EPOCH), MAX_EPOCH)]
)
def test_epochs_are_numbers_up_to_a_bound(epoch: str, number: float) -> None:
    assert parse(answer(series("job-0001-1", [(epoch, "0.5")])))["job-0001-1"] == [(number, 0.5)]


def test_another_metric_is_left_out() -> None:
    """A namespace is asked about the metrics of all of its jobs at once."""
    wrong = series("job-0001-1", [(1, "9")], metric="loss")
    assert parse(answer(wrong, series("job-0001-1", [(1, "0.1")])))["job-0001-1"] == [(1, 0.1)]


def test_infos_are_no_warnings() -> None:
    assert parse(answer(series("job-0001-1", [(1, "0.1")]), infos=["metric might not be a counter"]))["job-0001-1"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (answer(warnings=["remote read: partial response"]), "may be partial.*remote read"),
        (answer(isPartial=True), "may be partial"),
        ({"status": "error", "errorType": "timeout", "error": "query timed out"}, "query timed out"),
        ({"status": "success"}, "not a vector"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, "not a vector"),
        ({"status": "success", "data": {"resultType": "vector", "result": None}}, "not a vector"),
        ({"status": "success", "data": []}, "not a vector"),
        ([], "failed"),
        (None, "failed"),
        (answer([{"metric": {"pod": "job-0001-1", "metric": METRIC, "epoch": "1"}}]), "malformed"),
        (answer([{"metric": {"pod": "job-0001-1", "metric": METRIC, "epoch": "1"}, "value": [1]}]), "malformed"),
        (answer(series("job-0001-1", [(1, "high")])), "malformed"),
        (answer([{"metric": [], "value": [1, "1"]}]), "malformed"),
        (answer([{"metric": {"pod": ["x"], "epoch": "1"}, "value": [1, "1"]}]), "malformed"),
        (answer([{"metric": {"epoch": 1}, "value": [1, "1"]}]), "malformed"),
        (answer(["x"]), "malformed"),  # type: ignore[list-item]
        (
            answer([{"metric": {"pod": "job-0001-1", "metric": METRIC, "epoch": "1"}, "value": [1, 10**400]}]),
            "malformed",
        ),
    ],
)
def test_an_answer_that_is_not_whole_is_none(body: object, words: str) -> None:
    with pytest.raises(PrometheusError, match=words):
        parse_answer(body, PODS)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*PODS, METRIC, "1", 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metric", "value", "pod", "epoch", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values | st.lists(json_values, max_size=4).map(answer))
def test_any_answer_is_curves_or_a_prometheus_error(body: Any) -> None:
    try:
        found = parse_answer(body, PODS)
    except PrometheusError:
        return
    assert set(found) == set(PODS)
    assert all(isinstance(curve, Curve) for curve in found.values())


# The conversation


async def test_one_question_for_all_pods() -> None:
    async with prometheus_server() as (server, client):
        server.says(answer(series("job-0001-1", [(1, "0.1")])))
        found = await client.curves("ns", PODS, WINDOWS)
        assert found == {"job-0001-1": Curve.of([(1, 0.1)]), "job-0002-1": Curve()}
        assert server.questions == [{"query": build_query("ns", WINDOWS, [METRIC]), "timeout": "15s"}]


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (500, "boom", "HTTP 500: boom"),
        (503, json.dumps({"status": "error", "error": "starting up"}), "HTTP 503.*starting up"),
        (
            422,
            json.dumps({"status": "error", "error": "query processing would load too many samples"}),
            "too many samples",
        ),
        (204, "", "HTTP 204"),
        (200, "<html>", "did not answer with JSON"),
        (200, "", "did not answer with JSON"),
        (200, "[" * 100_000, "did not answer with JSON"),
        (500, "\x1b[2J\nno", "HTTP 500: \N{REPLACEMENT CHARACTER}.2J no"),
        (200, "\udcff", "did not answer with JSON"),
    ],
)
async def test_no_answer_is_unknown_and_says_why(status: int, text: str, words: str) -> None:
    async with prometheus_server() as (server, client):
        server.says(text.encode(errors="surrogateescape").decode("latin-1"), status)
        with pytest.raises(PrometheusError, match=words):
            await client.curves("ns", PODS, WINDOWS)


async def test_an_answer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_ANSWER", 1 << 20)
    async with prometheus_server() as (server, client):
        server.says(" " * ((1 << 20) + 1) + json.dumps(answer()))
        with pytest.raises(PrometheusError, match="larger than 1 MiB"):
            await client.curves("ns", PODS, WINDOWS)


async def test_a_prometheus_that_is_not_there() -> None:
    client = Prometheus("http://127.0.0.1:1")
    with pytest.raises(PrometheusError, match="does not answer"):
        await client.curves("ns", PODS, WINDOWS)
    await client.close()
