"""The sentence of a report that says where pictures went."""

from __future__ import annotations

from collections import Counter, defaultdict

from pedbench.report.words.text import code
from pedbench.results.run import Run


def upload_sentence(run: Run) -> str:
    """Return as Markdown to which hosts views were sent for which attacks, and how many; "" if none were."""
    sent: Counter[str] = Counter()
    attacks: dict[str, set[str]] = defaultdict(set)
    for record in run.records:
        uploads = record.provenance.get("uploads")
        for host, count in uploads.items() if isinstance(uploads, dict) else ():
            # Records may come from elsewhere.
            if not isinstance(count, int):
                continue
            sent[host] += count
            attacks[host].add(run.attack(record))
    parts = [
        f"{count} to {code(host)} for {', '.join(map(code, sorted(attacks[host])))}"
        for host, count in sorted(sent.items())
    ]
    if not parts:
        return ""
    return (
        f"**Uploads.** What views show of pictures was sent to other hosts: {'; '.join(parts)}. The count is summed "
        "over cells, and includes answers that were kept from earlier runs."
    )
