"""Tries the rules of ids, credit and ends in random schedules, and rules that have to be found bad."""

import argparse
import sys
import time
from collections import Counter
from random import Random

from program import Program
from side import Side
from wire import NO_WINDOW, Broken, Pipe, require

SCHEDULES = 4000
# How many schedules of a bad rule are tried, and how many of them have to fail.
COMMON, RARE = (300, 10), (600, 2)
MOST_STEPS = 100_000


class Rules:
    """The rules of the page; each variant breaks one."""

    variants = {
        "total_credit": (COMMON, "one credit total over all ids, and not one for each"),
        "numbered_at_call": (COMMON, "ids are numbered when a request is made, and not as first frames are written"),
        "must_fit": (COMMON, "a frame may be sent only if it fits the remaining credit as a whole"),
        "window_only": (COMMON, "a reader grants nothing beyond the window for a begun message"),
        "end_closes": (COMMON, "an end closes its direction, also for credit"),
        "says_no_cancel": (COMMON, "no cancel is said when a conversation is given up"),
        "parent_blocks": (COMMON, "a parent reads nothing while it waits to write, as a child may"),
        "needs_no_credit": (COMMON, "a side with the largest window raises the highest id no more, either"),
        "one_queue": (COMMON, "a message that waits for credit holds up those of other ids behind it"),
        "half_of_ids": (RARE, "the highest id is raised when half of the ids have ended, however many are left"),
        "late_credit_is_dropped": (RARE, "credit for an ended id is dropped with the highest id that it carries"),
    }

    def __init__(self, variant=None):
        for name in self.variants:
            setattr(self, name, name == variant)


class Schedule:
    def __init__(self, rules, seed):
        self.random = random = Random(seed)
        down, up = Pipe(random.choice([1, 7, 40, 200, 1000])), Pipe(random.choice([1, 7, 40, 200, 1000]))
        child_is_least = random.random() < 0.1
        self.parent = Side("parent", rules, random, down, up, **self.options(False))
        self.child = Side("child", rules, random, up, down, **self.options(child_is_least))
        self.sides = [self.parent, self.child]
        for side in self.sides:
            # The bytes of a call, at most.
            side.pace = random.choice([5, 50, 300])
        self.make_programs(child_is_least)
        self.make_events()

    def options(self, is_least):
        random = self.random
        window = NO_WINDOW if is_least else random.choice([64, 64, 65, 100, 200, NO_WINDOW])
        return {
            "window": window, "ids": 0 if is_least else random.choice([0, 1, 1, 2, 4, 4]), "is_least": is_least,
            "blocks": is_least or random.random() < 0.3, "finishes_one": random.random() < 0.5,
            "threshold": random.choice([1, window // 2]), "pings": random.randrange(3),
        }

    def make_programs(self, child_is_least):
        random = self.random
        # A parent must read while it waits to write.
        self.parent.blocks = self.parent.rules.parent_blocks
        # Requests alone, or messages too; much from both, or a slow reader who asks for little and is asked for much.
        most_plain = random.choice([0, 20])
        requests = {self.parent: random.choice([0, 2, 4, 7]), self.child: random.choice([0, 2, 4, 7])}
        if random.random() < (1 if self.parent.rules.late_credit_is_dropped else 0.2):
            requests = {self.parent: 1, self.child: 5}
            self.parent.pace, self.child.pace, self.parent.pipe_in.capacity = 5, 300, 1000
            self.parent.ids = self.parent.told = 1
            most_plain = 0
        lasting = {side: random.randrange(side.ids) if side.ids else 0 for side in self.sides}
        for side, other in ((self.parent, self.child), (self.child, self.parent)):
            consumer = random.choice(["there", "there", "late", "absent", "after"])
            if side.is_least:
                consumer = "there"
            is_able = other.ids and not side.is_least
            # What outlasts the others leaves them an id, and something to work on it.
            Program(
                side, random, random.randrange(most_plain + 1), requests[side] if is_able else 0,
                lasting[other] if is_able else 0, consumer, lasting[side] + random.randrange(1, 4),
                lasting[side] > 0)

    def make_events(self):
        """What happens at some step, or when nothing else moves any more; in stages."""
        random = self.random
        early, late = [], []
        for side in self.sides:
            if side.program.consumer == "late":
                early.append(side.program.resume)
            if side.program.consumer == "there" and random.random() < 0.2:
                late += [side.program.pause, side.program.resume]
            if random.random() < 0.2:
                early += [lambda side=side: self.stop(side, True), lambda side=side: self.stop(side, False)]
        ends = [lambda side=side: self.end(side) for side in self.sides if random.random() < 0.7] or [
            lambda: self.end(self.parent)]
        random.shuffle(ends)
        self.is_early = random.random() < 0.6
        events = early + late if not self.is_early else self.merged(early + late, ends)
        steps = sorted(int(random.expovariate(1 / 80)) for _ in events)
        self.timed = list(zip(steps, events))
        self.last = [] if self.is_early else ends

    def merged(self, events, ends):
        for end in ends:
            events.insert(self.random.randrange(len(events) + 1), end)
        return events

    def stop(self, side, is_stopped):
        side.is_stopped = is_stopped

    def end(self, side):
        kind = self.random.choice(["disconnects", "disconnects", "exits", "is killed"])
        if kind == "is killed":
            side.exits = True
            side.close()
        else:
            side.disconnect(self.random.random() < 0.5, kind == "exits")

    # Running

    def run(self):
        checked = self.is_early
        moves = self.moves()
        for step in range(MOST_STEPS):
            if self.timed and self.timed[0][0] <= step:
                self.timed.pop(0)[1]()
            elif not self.move(moves):
                if self.timed:
                    self.timed.pop(0)[1]()
                elif not checked:
                    self.check_rest()
                    checked = True
                elif self.last:
                    self.last.pop(0)()
                else:
                    self.check_end()
                    return
        raise Broken("it does not come to rest")

    def moves(self):
        random = self.random
        moves = []
        for side in self.sides:
            moves += [
                lambda side=side: side.write(random.randrange(1, side.pace)),
                lambda side=side: side.read(random.randrange(1, side.pace)),
                side.program.step, side.close_if_ended]
        return moves

    def move(self, moves):
        """One thing that can happen now, whichever. False if nothing can."""
        # An odd step reaches each of the eight.
        start, step = self.random.randrange(8), self.random.choice([1, 3, 5, 7])
        return any(moves[(start + step * number) % 8]() for number in range(8))

    # What has to hold

    def check_rest(self):
        """Nothing moves, and nobody has ended: all that was owed has been delivered."""
        self.check_requests()
        for side in self.sides:
            require(side.ping is None, "deadlock: a ping has no answer")
            require(side.finished == side.peer_opened, "deadlock: a conversation has not ended")
        for side, other in ((self.parent, self.child), (self.child, self.parent)):
            self.check_plain(side, other)

    def check_requests(self):
        for side in self.sides:
            require(all(asker.end for asker in side.program.askers), "deadlock: a request has no end")
            require(all(handler.has_stopped for handler in side.program.handlers), "deadlock: a handler has not ended")
        for side, other in ((self.parent, self.child), (self.child, self.parent)):
            answered = {handler.lane.id for handler in other.program.handlers if handler.lane.out_ended}
            cancelled = {asker.lane.id for asker in side.program.askers if asker.end == "cancelled"}
            require(not answered & cancelled, "a cancel that followed an answer took it away")

    def check_plain(self, side, other):
        """The plain messages of a side: all have been taken, or fill the window of a side that takes none."""
        if other.program.takes:
            require(other.program.received == side.program.sent, "deadlock: plain messages were not delivered")
        elif side.zero.out:
            require(other.zero.held >= other.window, "deadlock: plain messages are not taken in up to the window")

    def check_end(self):
        self.check_requests()
        for side, other in ((self.parent, self.child), (self.child, self.parent)):
            is_blocked = not other.program.takes and side.zero.out and not side.is_closed
            if is_blocked:
                require(other.zero.held >= other.window, "deadlock: the end waits for credit")
                continue
            require(side.said_end or side.is_closed or not side.wants_end, "deadlock: a side can't say that it ends")
            is_gone = other.exits and other.is_closed and not other.read_end
            if (side.said_end and not is_gone) or not (side.exits or other.exits):
                arrived = other.program.received + len(other.zero.whole)
                require(arrived == side.program.sent, "plain messages before a graceful end were lost")
                require(not other.program.takes or not other.zero.whole, "plain messages were not taken")
        if self.parent.said_end and self.child.said_end:
            require(self.parent.is_closed and self.child.is_closed, "both have ended, and the channel is open")


def try_schedules(variant, count, seed, is_verbose):
    """How many schedules end badly, and by what."""
    failures = Counter()
    first = None
    for number in range(seed, seed + count):
        try:
            Schedule(Rules(variant), number).run()
        except Broken as problem:
            failures[str(problem)] += 1
            first = number if first is None else first
            if is_verbose:
                print(f"  seed {number}: {problem}")
    return failures, first


def report(variant, count, seed, is_verbose):
    """Whether the rules hold, or the variant is found bad."""
    (usual, least), explanation = Rules.variants.get(variant, ((SCHEDULES, 0), None))
    count = count or usual
    start = time.monotonic()
    failures, first = try_schedules(variant, count, seed, is_verbose)
    bad = sum(failures.values())
    is_right = bad >= max(1, int(least * min(1, count / usual))) if variant else bad == 0
    title = f"variant {variant}: {explanation}" if variant else "the rules"
    print(f"{'ok' if is_right else 'FAILED':<7}{title}")
    seconds = time.monotonic() - start
    print(f"       {bad} of {count} schedules end badly ({seconds:.0f} s)")
    for problem, times in failures.most_common(3):
        print(f"       {times:>5} {problem}")
    if first is not None:
        print(f"       the first is seed {first}")
    sys.stdout.flush()
    return is_right


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, help=f"default: {SCHEDULES}, and fewer of each variant")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the first schedule; the next ones count on")
    parser.add_argument("--variant", choices=["none", *Rules.variants], help="only this one; none: only the rules")
    parser.add_argument("--verbose", action="store_true", help="name each schedule that ends badly")
    options = parser.parse_args()
    everything = [None, *Rules.variants]
    chosen = everything if options.variant is None else [None if options.variant == "none" else options.variant]
    results = [report(variant, options.schedules, options.seed, options.verbose) for variant in chosen]
    sys.exit(0 if all(results) else 1)


main()
