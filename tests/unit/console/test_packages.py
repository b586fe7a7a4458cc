"""What the operating system has to have."""

from __future__ import annotations

import pytest

from cluster.packages import check_node


@pytest.mark.parametrize("version", ["v20.11.1\n", "v22.0.0"])
def test_a_node_that_builds_the_pages_is_good(version: str) -> None:
    check_node(version)


@pytest.mark.parametrize("version", ["v18.19.0\n", "", "nonsense"])
def test_an_older_one_is_named_with_the_remedy(version: str) -> None:
    with pytest.raises(SystemExit, match=r"need Node\.js 20 or later.*install a newer one"):
        check_node(version)
