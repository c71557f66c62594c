"""Numbers into rows: medians with their spread, ratios, and whether the targets hold."""

import statistics

from .workloads import BESIDE, COMPARED, TITLES, WORKLOADS, title


def medians(results, peers):
    rows = [["workload", "", *(TITLES[peer] for peer in peers)]]
    for name, by_peer in results.items():
        for measure in WORKLOADS[name].measures:
            cells = [spread(scaled(by_peer, peer, measure), measure.digits) for peer in peers]
            rows.append([title(name), row_unit(measure), *cells])
    return rows


def comparison(results, peers):
    """Ours divided by each peer, and the targets."""
    others = [peer for peer in COMPARED if peer in peers]
    rows = [["workload", "", *(f"ours / {TITLES[peer]}" for peer in others), "target", ""]]
    for name, by_peer in results.items():
        for measure in WORKLOADS[name].measures:
            found = {peer: ratios(by_peer, peer, measure) for peer in others}
            goals = targets(results, name, measure, found)
            if not any(found.values()) and not goals:
                continue
            verdict = "; ".join(dict.fromkeys(verdict for _, verdict in goals))
            if len(goals) > 1 and ";" in verdict:
                verdict = "; ".join(verdict for _, verdict in goals)
            cells = [spread(found[peer], 2) for peer in others]
            rows.append([title(name), row_unit(measure), *cells, "; ".join(goal for goal, _ in goals), verdict])
    return rows


def fallen_short(results, peers):
    """The names of the workloads with a target that was missed."""
    names = []
    for name, by_peer in results.items():
        for measure in WORKLOADS[name].measures:
            found = {peer: ratios(by_peer, peer, measure) for peer in COMPARED if peer in peers}
            if any(verdict == "falls short" for _, verdict in targets(results, name, measure, found)):
                names.append(name)
    return list(dict.fromkeys(names))


def targets(results, name, measure, found):
    """Pairs of a target and whether it holds."""
    goals = []
    for peer, limit in measure.targets.items():
        word = "at least" if measure.is_better_high else "at most"
        goals.append((f"{word} {limit:g} × {TITLES[peer]}", verdict(found.get(peer), limit, measure.is_better_high)))
    if measure.least is not None:
        ours = scaled(results[name], "ours", measure)
        goals.append((f"at least {measure.least:g} %", verdict(ours, measure.least, True)))
    beside = BESIDE.get((name, measure.key))
    if beside:
        goals.append(goal_beside(results, name, measure, beside))
    return goals


def goal_beside(results, name, measure, beside):
    values = results[name].get(beside.peer, {}).get(measure.key)
    others = results.get(beside.workload, {}).get("ours", {}).get(measure.key)
    found = [a / b for a, b in zip(values, others)] if values and others else None
    reached = f"{statistics.median(found):.2f}" if found else "not measured"
    if beside.limit is None:
        return f"none; {reached} × {beside.words}", ""
    word = "at least" if measure.is_better_high else "at most"
    return f"{word} {beside.limit:g} × {beside.words} ({reached})", verdict(found, beside.limit, measure.is_better_high)


def verdict(values, limit, is_better_high):
    if not values:
        return "not measured"
    middle = statistics.median(values)
    return "holds" if (middle >= limit if is_better_high else middle <= limit) else "falls short"


def ratios(by_peer, peer, measure):
    """Ours by the peer's, round by round; nothing where the peer's is nothing."""
    ours, theirs = (by_peer.get(side, {}).get(measure.key) for side in ("ours", peer))
    if not ours or not theirs or min(theirs) <= 0:
        return None
    return [a / b for a, b in zip(ours, theirs)]


def scaled(by_peer, peer, measure):
    return [value / measure.divisor for value in by_peer.get(peer, {}).get(measure.key, [])]


def row_unit(measure):
    labels = {"child_pss": "PSS of a child, ", "child_rss": "RSS of a child, ", "parent_growth": "growth of the parent, "}
    name = labels.get(measure.key, {"rate": "", "share": ""}.get(measure.key, measure.key + " "))
    return name + measure.unit


def spread(values, digits):
    """The median, and the smallest and largest."""
    if not values:
        return "–"
    # Two digits of what is small, whatever the column has.
    low, middle, high = (
        f"{value:,.{digits if value >= 0.1 or digits < 2 else 3}f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return middle if len(values) == 1 else f"{middle} ({low} – {high})"


def markdown(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
