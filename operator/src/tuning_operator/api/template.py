"""The shape of a Pod template, as far as the operator reads it or adds to it.

It is checked before anything is built from it, since the resource's schema leaves it open. The rest the API server
checks when it is asked to accept the Pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, alias_generator=to_camel)


class _Named(_Shape):
    name: str | None = None


class _Variable(_Shape):
    name: str
    value: str | None = None


class _Port(_Named):
    container_port: int | None = None


class _Mount(_Named):
    mount_path: str | None = None
    sub_path_expr: str | None = None


class _SecurityContext(_Shape):
    run_as_user: int | None = None
    run_as_group: int | None = None


class _Exec(_Shape):
    command: list[str] | None = None


class _Action(_Shape):
    exec: _Exec | None = None


class _Lifecycle(_Shape):
    post_start: _Action | None = None
    pre_stop: _Action | None = None


class _Container(_Shape):
    name: str
    args: list[str] | None = None
    command: list[str] | None = None
    env: list[_Variable] | None = None
    env_from: list[dict[str, Any]] | None = None
    ports: list[_Port] | None = None
    volume_mounts: list[_Mount] | None = None
    security_context: _SecurityContext | None = None
    liveness_probe: _Action | None = None
    readiness_probe: _Action | None = None
    startup_probe: _Action | None = None
    lifecycle: _Lifecycle | None = None
    termination_message_policy: str | None = None


class _Spec(_Shape):
    containers: list[_Container] = Field(min_length=1)
    init_containers: list[_Container] | None = None
    volumes: list[dict[str, Any]] | None = None
    hostname: str | None = None
    subdomain: str | None = None
    security_context: _SecurityContext | None = None
    automount_service_account_token: bool | None = None


class _Metadata(_Shape):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Template(_Shape):
    metadata: _Metadata | None = None
    spec: _Spec


def check_template(template: Mapping[str, Any]) -> None:
    """Check the template's shape.

    Raises:
        ValueError: A field has another type than a Pod's; the message names it.
    """
    try:
        _Template.model_validate(template)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        problem = first["msg"].removeprefix("Input ").lower()
        raise ValueError(f"spec.template{path}: {problem}, as in a Pod (`kubectl explain pod{path}`)") from None
