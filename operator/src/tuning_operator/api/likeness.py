"""Does an object run what the operator would have it run? Whoever may create Pods can claim any owner and any label.

Compared is the whole specification, but for where a Pod runs and what it may use: schedulers, queueing controllers,
quotas and limit ranges have a say in that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEMENT = frozenset(
    {
        "affinity",
        "ephemeralContainers",  # none at a Pod's creation; needs a separate right
        "imagePullSecrets",  # those of the service account
        "nodeName",
        "nodeSelector",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "resizePolicy",
        "resources",
        "schedulerName",
        "schedulingGates",
        "tolerations",
        "topologySpreadConstraints",
    }
)
_BATCH = frozenset({"selector", "suspend"})
"""Of a batch Job: what the API server chooses, unless it is chosen by hand, and what queueing controllers set."""

_DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "apiVersion": ("v1",),
    "defaultMode": (0o644,),
    "divisor": ("0",),
    "dnsPolicy": ("ClusterFirst",),
    "enableServiceLinks": (True,),
    "expirationSeconds": (3600,),
    "failureThreshold": (3,),
    "imagePullPolicy": ("Always", "IfNotPresent"),
    "manualSelector": (False,),
    "periodSeconds": (10,),
    "protocol": ("TCP",),
    "restartPolicy": ("Never",),
    "scheme": ("HTTP",),
    "serviceAccount": ("default",),
    "serviceAccountName": ("default",),
    "successThreshold": (1,),
    "terminationGracePeriodSeconds": (30,),
    "terminationMessagePath": ("/dev/termination-log",),
    "terminationMessagePolicy": ("File",),
    "timeoutSeconds": (1,),
    "type": ("",),
}
"""What the API server adds to what was asked for. What else differs is for `is_same`, with the server's help."""

_INDEX = "JOB_COMPLETION_INDEX"
_OURS = frozenset({names.LABEL_JOB, names.LABEL_TRIAL, names.LABEL_MANAGED_BY})
_ACCESS = "kube-api-access"
_ACCESS_VOLUME = re.compile(_ACCESS + "-[a-z0-9]{5}")


def is_like(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether what was found is what is wanted, with nothing but the API server's defaults added."""
    return _bears(found, wanted) and _covers(_bare(found["spec"]), _bare(wanted["spec"]))


def is_same(found: Mapping[str, Any], tried: Mapping[str, Any]) -> bool:
    """Whether what was found is what the API server makes of what is wanted, its admission plugins included."""
    return _bears(found, tried) and bool(_bare(found["spec"]) == _bare(tried["spec"]))


def node_template(batch_job: Mapping[str, Any]) -> dict[str, Any]:
    """What the Pods of a batch Job run: its Pod template."""
    template: dict[str, Any] = batch_job["spec"]["template"]
    return {"metadata": template.get("metadata") or {}, "spec": template["spec"]}


def _bears(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether labels and annotations are as wanted, since a training may read them; the operator's may be missing."""
    for field in ("labels", "annotations"):
        there, asked = (dict((body.get("metadata") or {}).get(field) or {}) for body in (found, wanted))
        for name, value in asked.items():
            if there.get(name, value if name in _OURS else None) != value and not _is_given(name):
                return False
    templates = [body["spec"].get("template") for body in (found, wanted)]
    return not all(templates) or _bears(*({"spec": {}, **template} | {"spec": {}} for template in templates))


def _is_given(name: str) -> bool:
    """Whether the API server or a controller gives each batch Job, or each of its Pods, its own value."""
    return name in {"controller-uid", "job-name"} or name.startswith("batch.kubernetes.io/")


def _bare(value: Any) -> Any:
    """A specification without placement, without what is empty, and with the same names for what is named at random."""
    if isinstance(value, dict):
        skipped = _PLACEMENT if value.get("manualSelector") else _PLACEMENT | _BATCH
        bare = {name: _bare(item) for name, item in value.items() if name not in skipped}
        if value.get("completionMode") and isinstance(value.get("template"), dict):
            bare["template"] = {"spec": _bare(value["template"].get("spec"))}
        if "containers" in bare:
            bare.pop("hostname", None)  # the Job controller gives each node one; the operator never does
        return {name: item for name, item in bare.items() if item not in (None, [], {})}
    if isinstance(value, list):
        return [_bare(item) for item in value if not (isinstance(item, dict) and item.get("name") == _INDEX)]
    is_token = isinstance(value, str) and _ACCESS in value
    return _ACCESS_VOLUME.sub(_ACCESS, value) if is_token else value


def _covers(found: Any, wanted: Any) -> bool:
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(
            _covers(found[name], wanted[name]) if name in found and name in wanted else _is_default(found, name)
            for name in found.keys() | wanted.keys()
        )
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_covers, found, wanted))
    return bool(found == wanted)


def _is_default(found: Mapping[str, Any], name: str) -> bool:
    return name in found and found[name] in _DEFAULTS.get(name, ())
