"""Whatever a document holds: it is converted with notes, or refused with the one error that is documented."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.client.documents import EXAMPLES, load
from tests.unit.docs.schema import as_stored, job_schema, misspelt
from tuning_client.convert import ConversionError, Converted, convert
from tuning_client.convert.files import write
from tuning_operator.api.job import parse_job

SCHEMA = job_schema()
DOCUMENTS = {name: load(name) for name in EXAMPLES}
TEXTS = st.sampled_from(
    ["", " ", "x", "yes", "1e400", "nan", "-1", "0", "1.5", "9" * 30, "a" * 2000, "/", "../x", "(", "(?<!a)(b)", "${x}",
     "\ud800", "\x00", '"sgd"', "é", "true"]
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    TEXTS,
    st.text(max_size=20),
    st.just(dt.date(2024, 1, 1)),
    st.just(b"\xff"),
    st.just(10**200),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXTS, st.integers(), st.none(), st.booleans(), st.floats()), inner, max_size=3),
        st.sets(st.integers(), max_size=2),
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, those of mappings and lists as well."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    result = copy.deepcopy(document)
    place = result
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return result


def check(document: Any) -> Converted | None:
    """Convert; what comes out can be written, is read back as it was, and is a job that the operator understands."""
    try:
        result = convert(document)
    except ConversionError:
        return None
    assert all(str(note) for note in result.notes)
    assert list(yaml.safe_load_all(write(result.jobs))) == result.jobs
    json.dumps(result.jobs, allow_nan=False)
    for job in result.jobs:
        assert list(misspelt(job, SCHEMA, "")) == []
        parse_job(as_stored(job))
    return result


@settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_value_anywhere_is_answered_by_another_exception(data: st.DataObject) -> None:
    document: Any = DOCUMENTS[data.draw(st.sampled_from(EXAMPLES))]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)))
        document = with_value(document, path, data.draw(VALUES))
    check(document)
