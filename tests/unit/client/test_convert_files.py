"""Files as people have them, and manifests that every reader of YAML understands in the same way."""

from __future__ import annotations

import codecs
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.client.documents import DATA, ODD_TEXTS, load
from tuning_client.__main__ import main
from tuning_client.convert import ConversionError, convert
from tuning_client.convert.files import read, write

if TYPE_CHECKING:
    from pathlib import Path

GRID = (DATA / "katib-grid.yaml").read_text()


def command(capsys: pytest.CaptureFixture[str], path: Path) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["convert", str(path)])
    streams = capsys.readouterr()
    return code, list(yaml.safe_load_all(streams.out)), streams.err


def test_what_is_written_is_read_as_it_was_as_names_and_as_values() -> None:
    document = {"names": {text: text for text in ODD_TEXTS}, "list": list(ODD_TEXTS)}
    text = write([document, document])
    assert list(yaml.safe_load_all(text)) == [document, document]
    assert list(yaml.safe_load_all(text.encode())) == [document, document]


def test_only_plain_words_are_written_without_quotes() -> None:
    bare = [text for text in ODD_TEXTS if write([{"key": text}]) == f"key: {text}\n"]
    assert bare == ["e3", "a.b", "a-b", "sgd"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_every_unicode_encoding_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path, encoding: str) -> None:
    (tmp_path / "grid.yaml").write_bytes(GRID.replace("\n", "\r\n").encode(encoding))
    code, (job,), _ = command(capsys, tmp_path / "grid.yaml")
    assert code == 0
    assert job == convert(load("katib-grid.yaml")).jobs[0]


def test_a_file_that_is_no_text_says_what_to_do(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: Größe".encode("latin-1"))
    assert command(capsys, tmp_path / "latin.yaml")[0] == 1
    (tmp_path / "half.yaml").write_bytes(codecs.BOM_UTF16_LE + b"a")
    code, jobs, said = command(capsys, tmp_path / "half.yaml")
    assert (code, jobs) == (1, [])
    assert "half.yaml: is not UTF-16-LE text" in said
    assert "save it as UTF-8" in said


def test_a_live_list_is_converted_item_by_item(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    live = {
        **load("katib-grid.yaml"),
        "status": {"conditions": [{"type": "Running", "lastUpdateTime": "2026-05-04T03:02:01Z"}]},
    }
    live["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "creationTimestamp": "2026-05-04T03:02:01Z"}
    others = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}, load("ack-xgboost.yaml")]
    (tmp_path / "list.yaml").write_text(
        yaml.safe_dump(
            {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": [live, *others]}
        )
    )
    code, jobs, said = command(capsys, tmp_path / "list.yaml")
    assert code == 0
    assert [job["metadata"]["name"] for job in jobs] == ["grid", "your-job-name"]
    assert "- items[0].status: is the state of the live object" in said
    assert "- items[0].metadata.managedFields: belongs to the live object" in said
    assert "- items[1]: is v1 ConfigMap, which was left out" in said


def test_a_document_that_cannot_be_converted_does_not_cost_the_others(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = GRID.replace("objectiveMetricName", "metric")
    documents = ["", "# nothing\n", GRID, "kind: Secret\napiVersion: v1\n", broken, "a: [", GRID]
    (tmp_path / "several.yaml").write_text("\n---\n".join(documents))
    code, jobs, said = command(capsys, tmp_path / "several.yaml")
    assert code == 1
    assert [job["metadata"]["name"] for job in jobs] == ["grid", "grid-2"]
    assert "several.yaml: document 3: spec.objective.objectiveMetricName is missing" in said
    assert "several.yaml: part 6 is neither YAML nor JSON" in said
    assert "document 2:\n- the document: is v1 Secret, which was left out" in said


@pytest.mark.parametrize("separator", ["\n", "\n\n", " "])
def test_json_texts_may_follow_each_other(capsys: pytest.CaptureFixture[str], tmp_path: Path, separator: str) -> None:
    document = json.dumps(load("sagemaker-xgboost.json"))
    (tmp_path / "lines.json").write_text(separator.join([document, document, f"[{document}]"]))
    code, jobs, _ = command(capsys, tmp_path / "lines.json")
    assert (code, len(jobs)) == (0, 3)


def test_anchors_stand_for_what_they_name_and_never_for_ever() -> None:
    text = GRID.replace("parameters:", "parameters: &all", 1)
    (document,) = read(text.encode()).documents
    assert convert(document).jobs[0]["spec"]["parameters"]
    (endless,) = read(b"apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nspec: &spec {spec: *spec}").documents
    with pytest.raises(ConversionError, match="look for an anchor that holds itself"):
        convert(endless)
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    with pytest.raises(ConversionError, match="more than 200000 values"):
        convert(read(bomb.encode()).documents[0])


def test_a_name_that_stands_twice_is_mentioned() -> None:
    assert read(b"a: 1\nb: {c: 1, c: 2}\n").notes == ["c stands there 2 times: the last one counts"]
    assert read(b'{"a": 1, "a": 2}').notes == ["a stands there 2 times: the last one counts"]


def test_texts_that_yaml_1_1_takes_for_dates_and_times_stay_texts() -> None:
    assert read(b"[12:30:45, 2024-13-45, 190:20:30.15]").documents == [["12:30:45", "2024-13-45", "190:20:30.15"]]


@pytest.mark.parametrize("content", ["", "---\n---\n", "# only a comment\n", "kind: Secret\n---\nkind: Secret\n"])
def test_nothing_to_convert_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "empty.yaml").write_text(content)
    code, jobs, said = command(capsys, tmp_path / "empty.yaml")
    assert (code, jobs) == (1, [])
    assert "empty.yaml: has nothing to convert" in said


def test_standard_input_is_read_as_bytes_and_a_terminal_obeys_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = GRID.replace("name: grid", 'name: "\\e[31mgrid\\u2028"', 1)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(hostile.encode("utf-16"))))
    assert main(["convert", "-"]) == 0
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "metadata.name: became 31mgrid" in said
