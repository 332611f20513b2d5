"""What is documented is what there is: settings, commands, codes, rules, links."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer

from belfry.cli import app as cli
from belfry.cli import reference_codes
from belfry.cli.reference import pages
from belfry.config import describe
from belfry.connectors.model import SendFailure
from belfry.delivery.model import MOVES, MessageState, Reason
from belfry.error_stream.model import ErrorKind
from belfry.intake.codes import TEXTS, Code
from belfry.segments.fields import FIELDS
from belfry.segments.model import (
    Cmp,
    GroupOp,
    InterestKind,
    InterestMode,
    MeasureFn,
    NumberCmp,
    Occurrence,
    RangeKind,
    Unit,
)
from belfry.segments.parse import _LEAVES, parse
from belfry.segments.rfm import CELLS
from support.docs import DOCS, ROOT, documents, links, rules

GENERATED = pages(typer.main.get_command(cli.app))
RULES = rules()


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_generated_page_is_fresh(name: str) -> None:
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == GENERATED[name], "run `make docs` and commit what changed"


def test_every_setting_is_in_the_reference() -> None:
    page = GENERATED["settings.md"]
    assert [name for name, *_ in describe() if f"| `{name}` |" not in page] == []


def test_every_command_is_in_the_reference() -> None:
    listed = re.findall(r"^## (belfry .+)$", GENERATED["commands.md"], re.MULTILINE)
    assert {"belfry serve", "belfry demo", "belfry doctor", "belfry accounts create", "belfry version"} <= set(listed)
    assert "belfry docs" not in listed, "hidden commands are nobody's business"


@pytest.mark.parametrize(
    ("meanings", "closed_list"),
    [
        pytest.param(reference_codes.CODE_MEANINGS, Code, id="upload codes"),
        pytest.param(reference_codes.KIND_MEANINGS, ErrorKind, id="kinds of the error stream"),
        pytest.param(reference_codes.STATE_MEANINGS, MessageState, id="states of a message"),
        pytest.param(reference_codes.FAILURE_MEANINGS, SendFailure, id="failures of an attempt"),
        pytest.param(reference_codes.SENTENCES, Reason, id="reasons"),
    ],
)
def test_every_code_has_a_meaning(meanings: dict[object, str], closed_list: type) -> None:
    assert set(meanings) == set(closed_list)  # type: ignore[call-overload]  # an enum class is iterable


def test_every_code_is_on_its_page() -> None:
    page = GENERATED["codes.md"]
    assert [code for code in Code if f"| {code.value} | `{TEXTS[code].strip()}` |" not in page] == []
    named = [*ErrorKind, *MessageState, *Reason, *(failure.value for failure in SendFailure)]
    assert [name for name in named if f"| `{name}` |" not in page] == []


def _targets() -> list[tuple[Path, str]]:
    return [(page, target) for page in documents() for target in links(page)]


@pytest.mark.parametrize(("page", "target"), _targets(), ids=lambda value: str(value).removeprefix(f"{ROOT}/"))
def test_a_link_leads_somewhere(page: Path, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    assert file.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        waiting += [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
    assert sorted(set(DOCS.rglob("*.md")) - seen) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: json.dumps(rule)[:80])
def test_an_example_of_a_rule_is_legal(rule: dict[str, object]) -> None:
    assert parse(rule) is not None


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([f'"type": "{kind}"' for kind in _LEAVES], id="rules"),
        pytest.param([f'"cmp": "{cmp}"' for cmp in Cmp], id="operators"),
        pytest.param([f"`{field}`" for field in FIELDS], id="fields"),
        pytest.param([f'"fn": "{fn}"' for fn in MeasureFn], id="measures"),
        pytest.param([f'"cmp": "{cmp}"' for cmp in NumberCmp], id="comparisons of measures"),
        pytest.param([f'"{kind}"' for kind in RangeKind], id="ranges"),
        pytest.param([f"`{unit}`" for unit in Unit], id="units"),
        pytest.param([f'"{occurrence}"' for occurrence in Occurrence], id="occurrences"),
        pytest.param([f'"op": "{op}"' for op in GroupOp], id="groups"),
        pytest.param([f'"{kind}": ' for kind in InterestKind], id="interests"),
        pytest.param([f'"{mode}"' for mode in InterestMode], id="modes"),
        pytest.param([f"`{cell}`" for cell in CELLS], id="cells"),
    ],
)
def test_everything_that_a_rule_may_hold_is_on_its_page(names: list[str]) -> None:
    page = (DOCS / "reference" / "segment-rules.md").read_text(encoding="utf-8")
    assert [name for name in names if name not in page] == []


def test_the_states_of_a_message_are_drawn_as_they_are() -> None:
    page = (DOCS / "explanation" / "sending.md").read_text(encoding="utf-8")
    for state, moves in MOVES.items():
        if moves:
            row = next(line for line in page.splitlines() if line.startswith(f"| `{state}` |"))
            assert set(re.findall(r"`(\w+)`", row)) - {state} == {str(move) for move in moves}
        else:
            assert f"`{state}`" in page
