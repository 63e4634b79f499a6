"""Meaning of the words, marks and flags of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from pedbench.report.words.text import NOTHING
from pedbench.results.run import Run
from pedbench.validity.calibration import UNPROVEN
from pedbench.validity.flags import (
    ANNOTATIONS_LOST,
    AUTHORED,
    CAPPED,
    DEGRADED,
    NO_BETTER,
    SEED_SPREAD,
    UNCONFINED,
    UNEXPLAINED,
    UNREAD,
    UNVERIFIED,
    WORSE_THAN_PASTING,
)

REGIONS: Mapping[str, str] = {"all": "all objects", "ML": "M+L"}
"""Names of regions of utility where the key alone does not say it."""

TERMS: Mapping[str, str] = {
    "↑ ↓": "where the defender wants the number to go: a privacy score with an arrow up is more private the "
    "higher it is",
    "value [low, high]": "95 % bootstrap interval over pictures; all values of a picture are drawn together. "
    "There is none below two pictures",
    "n": "pictures behind the number; of latency, timed pictures",
    NOTHING: "not defined or not measured, e.g. a score of the hidden part when nothing is hidden",
    "≥": "a lower bound: an attack that fits what was received was limited to some pictures and does better there, "
    "failed, was skipped, or is absent from the suite",
    "2 of 24": "a row of fewer pictures than others of its table",
    "mIoU": "mean over annotated objects of the intersection over union of predicted and annotated mask, at "
    "the original resolution",
    "S, M, L": "objects below 32², from 32² to 96², and from 96² square pixels; M+L is both larger classes. "
    "Cut: a border between windows runs through the object",
    "retention, of": "mIoU divided by the mIoU of the undefended model that the next column names, on the same "
    "objects; trained less: the row was fine-tuned, and the run has no undefended model that was trained as long",
    "agreement": "intersection over union with the mask of the undefended model, for pictures without "
    "annotations",
    "coalition": "at most c servers that pool what they received; each picture counts with the evaluated coalition "
    "that is worst for the defender. Scores of the hidden part are about coalitions of exactly c servers",
    "visible, hidden": "received exactly and at its place, or not; padding is neither. A degraded picture is "
    "hidden in full",
    "visible share, content share": "part of the frame that a coalition sees exactly; part of the frame that "
    "one server received in any form",
    "exposure": "part of the objects of which one coalition sees at least the stated share; no model is "
    "involved",
    "secret exposure": "the same of words and faces, by their boxes; > 0 % counts those of which a pixel is seen",
    "leakage": "1 - d(guess) / d(best floor that received nothing), whole frame, visible pixels pasted in: "
    "1 is an exact copy, 0 is what anybody could have guessed",
    "advantage": "1 - d(guess) / d(best floor that received the same), hidden part only: 0 is nothing beyond "
    "a floor",
    "words read, faces found, objects found": "share of the known words (faces, objects of at least 32² px) that a "
    "probe reads (finds, and of objects names the category) where they are; planted: of all; relative: divided by "
    "what the same probe finds in the undefended picture",
    "character error rate": "edits from what was read to the word, per character; 1 where nothing was read",
    "tiles": "what a coalition received, piece by piece and stitched together, as a probe reads it",
    "floor": "an attack without a learned prior",
    "worst of": "how many coalitions of exactly c servers were evaluated for a picture, of how many there are; servers "
    "that received nothing are no members",
    "attack that speaks": "the strongest attack among those that guessed every picture, selected on one half of the "
    "pictures and reported on the other, both ways (cross-fitted), for each distance; a / b where the halves select "
    "two, +2 where two more are as strong",
    "ahead": "an attack that was limited to some pictures and does better there, with its mean and number of pictures",
    "a after b": "attack a completes the pixels that attack b read out of the payload",
    "worst case": "for each picture the attack and the coalition that are worst for the defender, chosen with the "
    "truth: a bound, no attack",
    "draws, gain over draws": "the worst of as many colours, drawn from training pictures, as there are attacks: "
    "what choosing gains without knowing anything; and by how much the worst case exceeds it, picture by picture",
    "rank-1, MRR": "part of the pictures that a view or guess picks out of the gallery at the first try, and the mean "
    "of 1 / rank; ties are broken by chance. The worst of m coalitions counts, which lifts chance by up to m times",
    "p90, worst": "the tail over pictures on the side that is bad for the defender: one picture in ten, and "
    "the extreme",
    "wall": "measured while all servers share this host",
    "turn-taking": "each server computes alone with all cores; composed as the slowest server of each "
    "picture, not measured as a whole",
    "lower bound": "what no order of the same messages could fall below: a trip there and back, and the busiest of the "
    "link up, the link down, the slowest server and the edge",
    "liars, checks": "servers that return something else than they should, of all that the defense calls; windows of "
    "each pass, drawn at random, that the edge computes, too. Noise has the tokens' mean and spread, replay is what "
    "the server returned for the picture before, perturbed tokens push the embedding away, nan is no number and "
    "refused without a check",
    "up, down": "bytes of serialised messages of all servers together, per picture",
}

FLAGS: Mapping[str, str] = {
    "few pictures": "fewer than 100, too few to see differences of some points",
    ANNOTATIONS_LOST: "more than 1 % of the annotations cannot be used",
    "few samples": "fewer than 20 timed pictures, so that medians and tails are rough",
    AUTHORED: "a plugin's own operation says by itself what its payload shows, and a check does not bear it out; it "
    "counts as the whole frame",
    UNEXPLAINED: "a server received what the operation's schema does not explain; it counts as the "
    "whole frame",
    "randomised defense attacked once": "more requests for the same scene could reveal more",
    NO_BETTER: "in no metric does the interval of the advantage lie above 0, over all coalitions: the attack adds "
    "nothing to the floors here",
    WORSE_THAN_PASTING: "on average and in every metric, the mean colour of the visible part fills the hidden "
    "part better than the attack does",
    UNPROVEN: "neither this run nor one that the package keeps shows the figure that this attack must reach",
    SEED_SPREAD: "the means of the attack's seeds differ more from each other than from 0",
    DEGRADED: "a server was late or lost, and the edge computed its windows of some pictures; such passes are not "
    "timed",
    UNCONFINED: "the kernel did not keep attacks to their view: a cheating one could have learned more",
    CAPPED: "the suite evaluates fewer coalitions of this size than the protocol asks for",
    UNVERIFIED: "no manifest says which weights these should be",
    UNREAD[
        "pixels"
    ]: "exact pixels were received and no attack of this suite can use them, so that a leakage of "
    "0 means nothing",
    UNREAD[
        "degraded"
    ]: "degraded pixels were received and no attack of this suite can use them, so that a leakage "
    "of 0 means nothing",
    UNREAD["tokens"]: "tokens were received and no attack of this suite can use them, so that a leakage of 0 "
    "means nothing",
}
"""Meaning of soundness flags, by their names in records; at length in docs/reference/flags.md."""


def flag_meanings(run: Run) -> dict[str, str]:
    """Return the meanings of flags, and by defense why a check did not bear out what its operations show."""
    reasons = {
        run.defense(record): record.provenance["distrust"]
        for record in run.records
        if "distrust" in record.provenance
    }
    listed = "; ".join(f"{defense}: {reason}" for defense, reason in reasons.items())
    return {**FLAGS, AUTHORED: f"{FLAGS[AUTHORED]}. {listed}"} if reasons else {**FLAGS}


def flag_letters(flags: Iterable[str]) -> dict[str, str]:
    """Return a short mark for each flag, in order of first appearance: a, b, ..., z, a1, b1, ..."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    found = dict.fromkeys(flags)
    return {flag: letters[i % 26] + (str(i // 26) if i >= 26 else "") for i, flag in enumerate(found)}


def short_rule(rule: str) -> str:
    """Return a rule as headings show it: c1_m3 is c=1."""
    return rule.split("_")[0].replace("c", "c=", 1)


def utility_title(frame: pd.DataFrame) -> str:
    """Return which utility the combined table is about, e.g. "mIoU[1 click], M+L"."""
    first = frame.iloc[0]
    region = REGIONS.get(first["utility_region"], first["utility_region"])
    return f"{first['utility_metric']}, {region}" if first["utility_metric"] else "utility"
