"""Specifications of jobs, made up by Hypothesis: most of them such that the API server takes them, some on the edge."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=12)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 70_000) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "value", "x"]), inner),
    max_leaves=4,
)
LARGE = 1e18
FLOATS = st.floats(-LARGE, LARGE) | st.sampled_from([0.0, -0.0, 5e-324, 1.0, 1 - 2**-53, LARGE])
INTEGERS = st.integers(-(2**53), 2**53)


def _range(numbers: st.SearchStrategy[Any], *scales: str) -> st.SearchStrategy[dict[str, Any]]:
    pairs = st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1]).map(sorted)
    made = pairs.map(lambda pair: {"min": pair[0], "max": pair[1]})
    return st.builds(lambda bounds, scale: bounds | scale, made, _some(scale=st.sampled_from(scales)))


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


RANGES = st.one_of(
    st.one_of(
        _range(FLOATS, "Auto", "Linear"),
        _range(st.floats(5e-324, LARGE), "Auto", "Log"),
        _range(st.floats(0, 1 - 2**-53), "ReverseLog"),
    ).map(lambda it: {"continuous": it}),
    st.one_of(_range(INTEGERS | st.integers(0, 9), "Auto", "Linear"), _range(st.integers(1, 2**53), "Auto", "Log")).map(
        lambda it: {"integer": it}
    ),
    st.tuples(st.integers(-9, 9), st.integers(1, 40), st.floats(0.001, 1e6)).map(
        lambda it: {"continuous": {"min": it[0] * it[2], "max": (it[0] + it[1]) * it[2], "step": it[2]}}
    ),
    st.lists(FLOATS, min_size=1, max_size=5, unique=True).map(lambda it: {"discrete": {"values": sorted(it)}}),
    st.lists(TEXTS, min_size=1, max_size=5, unique=True).map(lambda it: {"categorical": {"values": it}}),
)
PARAMETERS = st.dictionaries(NAMES, RANGES, min_size=1, max_size=3).map(
    lambda ranges: [{"name": name, **bounds} for name, bounds in ranges.items()]
)
CONTAINERS = st.lists(
    st.builds(
        lambda name, more: {"name": name, "image": "x", **more},
        st.sampled_from(["train", "sidecar"]) | TEXTS,
        _some(env=JUNK, ports=JUNK, args=JUNK, resources=JUNK, terminationMessagePolicy=JUNK, securityContext=JUNK)
        | _some(ports=st.just([{"name": "metrics"}]), env=st.just([{"name": "TUNING_JOB"}])),
    ),
    min_size=1,
    max_size=3,
)
TEMPLATES = st.builds(
    lambda metadata, containers, more: {"metadata": metadata, "spec": {**more, "containers": containers}},
    _some(
        labels=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
        annotations=st.dictionaries(
            st.just("kubectl.kubernetes.io/default-container") | st.text(max_size=5), st.just("train"), max_size=2
        ),
    ),
    CONTAINERS,
    _some(automountServiceAccountToken=JUNK, volumes=JUNK, initContainers=JUNK, serviceAccountName=JUNK),
)
SPECS = st.fixed_dictionaries(
    {
        "objective": st.builds(
            lambda metric, goal, more: {"metric": metric, "goal": goal, **more},
            TEXTS.map(str.strip).filter(bool),
            st.sampled_from(["Maximize", "Minimize"]),
            _some(target=st.floats(allow_nan=False, allow_infinity=False)),
        ),
        "parameters": PARAMETERS,
        "limits": st.builds(
            lambda trials, more: {"maxTrials": trials, **more},
            st.integers(1, 1000),
            _some(
                maxParallelTrials=st.integers(1, 3),
                maxFailedTrials=st.integers(1, 1000),
                maxDuration=st.from_regex(r"[1-9][0-9]{0,4}(\.[0-9]{1,2})?[hms]([0-9]{1,3}[ms])?", fullmatch=True),
            ),
        ),
        "template": TEMPLATES,
    },
    optional={
        "strategy": st.sampled_from(["Bayesian", "Random"]),
        "seed": st.integers(0, 2**31 - 1),
        "staticParameters": st.dictionaries(NAMES, st.text(max_size=5), max_size=2),
        "earlyStopping": _some(type=st.sampled_from(["Off", "Auto", "Median"]))
        | st.builds(
            lambda median: {"type": "Median", "median": median},
            _some(
                statistic=st.sampled_from(["Best", "Current"]),
                quantile=st.floats(0.01, 0.99),
                minProgress=st.floats(0, 1),
                minEpochs=st.integers(1, 1_000_000),
            ),
        ),
        "suspend": st.booleans(),
    },
)
