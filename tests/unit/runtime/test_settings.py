from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import certifi
import pytest

from tuning_operator.runtime.settings import Settings, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

REQUIRED = ["--namespaces", "a", "--prometheus-url", "http://prometheus:9090"]


def test_the_defaults_are_those_of_the_class() -> None:
    assert parse_settings(REQUIRED, {}) == Settings(("a",), "http://prometheus:9090")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("namespaces", "a, b ,c", ("a", "b", "c")),
        ("namespaces", "*", ()),
        ("namespaces", "a,*", ()),
        ("prometheus_url", "https://x/prefix/", "https://x/prefix"),
        ("prometheus_ca_file", certifi.where(), certifi.where()),
        ("prometheus_token_file", "/access/token", "/access/token"),
        ("prometheus_header", "X-Scope-OrgID = team=a|b\nB=c", (("X-Scope-OrgID", "team=a|b"), ("B", "c"))),
        ("poll_interval", "0.5", 0.5),
        ("metrics_window", "60", 60.0),
        ("resync_interval", "30", 30.0),
        ("workers", "8", 8),
        ("suggestion_workers", "0", 0),
        ("suggestion_timeout", "10", 10.0),
        ("api_qps", "5", 5.0),
        ("api_burst", "10", 10),
        ("metrics_port", "0", 0),
        ("health_port", "9000", 9000),
        ("image_pull_grace", "0", 0.0),
        ("sidecar_image", "registry.example.com/sidecar:1", "registry.example.com/sidecar:1"),
        ("sidecar_resources", '{"limits": {"cpu": "1"}}', '{"limits": {"cpu": "1"}}'),
        ("last_words", "False", False),
        ("job_metrics", "false", False),
        ("log_format", "plain", "plain"),
        ("log_level", "debug", "debug"),
    ],
)
def test_every_setting_is_a_flag_and_a_variable_and_the_flag_wins(name: str, text: str, value: object) -> None:
    flag, variable = "--" + name.replace("_", "-"), "TUNING_OPERATOR_" + name.upper()
    base = {"TUNING_OPERATOR_NAMESPACES": "z", "TUNING_OPERATOR_PROMETHEUS_URL": "https://z"}
    assert getattr(parse_settings([flag, text], base), name) == value
    assert getattr(parse_settings([], base | {variable: text}), name) == value
    assert getattr(parse_settings([flag, text], base | {variable: "1"}), name) == value


def test_headers_may_be_given_one_by_one_and_take_the_place_of_the_variables() -> None:
    flags = ["--prometheus-header", "A=1", "--prometheus-header=B=2"]
    given = parse_settings([*REQUIRED, *flags], {"TUNING_OPERATOR_PROMETHEUS_HEADER": "C=3"})
    assert given.prometheus_header == (("A", "1"), ("B", "2"))


def test_no_setting_is_left_out_above() -> None:
    (mark,) = [
        mark
        for mark in test_every_setting_is_a_flag_and_a_variable_and_the_flag_wins.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    ]
    assert {case[0] for case in mark.args[1]} == {field.name for field in fields(Settings)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--namespaces", "a"], "--prometheus-url"),
        (["--prometheus-url", "http://x"], "--namespaces"),
        ([*REQUIRED, "--last-words", "no"], "argument --last-words: 'no' is none of true, false"),
        ([*REQUIRED, "--sidecar-resources", "{"], "argument --sidecar-resources: '{': "),
        ([*REQUIRED, "--sidecar-resources", "[]"], 'must be an object with "requests" and "limits"; for example'),
        ([*REQUIRED, "--sidecar-resources", '{"limits": {"cpu": 1}}'], '"limits" must be an object of strings'),
        ([*REQUIRED, "--namespaces", " , "], "argument --namespaces: name at least one"),
        ([*REQUIRED, "--prometheus-url", "prometheus:9090"], "argument --prometheus-url: 'prometheus:9090' is no http"),
        ([*REQUIRED, "--prometheus-header", "team"], "argument --prometheus-header: each header is a NAME=VALUE"),
        ([*REQUIRED, "--prometheus-header", "a b=c"], "argument --prometheus-header: each header is a NAME=VALUE"),
        ([*REQUIRED, "--prometheus-header", "Authorization=Basic x"], "Authorization is for --prometheus-token-file"),
        ([*REQUIRED, "--prometheus-ca-file", "/none"], "--prometheus-ca-file: '/none' cannot be read: No such file"),
        ([*REQUIRED, "--prometheus-ca-file", certifi.where()], "is for a --prometheus-url that begins with https://"),
        (
            [*REQUIRED, "--prometheus-url", "http://ana:secret@x", "--prometheus-token-file", "/token"],
            "argument --prometheus-token-file: --prometheus-url has a user already",
        ),
        ([*REQUIRED, "--poll-interval", "fast"], "argument --poll-interval: 'fast' is not a number"),
        ([*REQUIRED, "--poll-interval", "0"], "argument --poll-interval: 0 is too small: at least 0.1"),
        ([*REQUIRED, "--poll-interval", "nan"], "argument --poll-interval: nan is not finite"),
        ([*REQUIRED, "--poll-interval", "inf"], "argument --poll-interval: inf is not finite"),
        ([*REQUIRED, "--workers", "1.5"], "argument --workers: '1.5' is not a whole number"),
        ([*REQUIRED, "--workers", "0"], "argument --workers: 0 is too small"),
        ([*REQUIRED, "--metrics-port", "65536"], "argument --metrics-port: 65536 is too large: at most 65535"),
        ([*REQUIRED, "--health-port", "0"], "argument --health-port: 0 is too small: at least 1"),
        ([*REQUIRED, "--log-format", "xml"], "argument --log-format: 'xml' is none of json, plain"),
        ([*REQUIRED, "--colour", "red"], "--colour"),
    ],
)
def test_a_refusal_names_the_flag(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refusal:
        parse_settings(arguments, {})
    assert refusal.value.code == 2
    assert words in capsys.readouterr().err


def test_a_file_without_certificates_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ca.crt").write_text("none")
    with pytest.raises(SystemExit):
        parse_settings([*REQUIRED, "--prometheus-ca-file", str(tmp_path / "ca.crt")], {})
    assert "ca.crt' has no certificates in PEM" in capsys.readouterr().err


def test_a_bad_variable_is_refused_under_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(REQUIRED, {"TUNING_OPERATOR_POLL_INTERVAL": "fast"})
    assert "argument --poll-interval: 'fast' is not a number" in capsys.readouterr().err


def test_help_lists_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse_settings(["--help"], {})
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert all("--" + field.name.replace("_", "-") in text for field in fields(Settings))
