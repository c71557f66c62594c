"""What the program on a side does: plain messages, requests with uploads and streams, handlers, and giving up."""

from side import Item
from wire import BODY, END, FAILURE, LONGEST, MESSAGE, MOST_DESCRIPTORS, require


def some_size(random):
    return random.choice([0, 1, random.randrange(16), random.randrange(80), random.randrange(LONGEST)])


def some_message(random, number, is_last=False, meta=0):
    size = some_size(random)
    piece = random.choice([1, 8, BODY]) if size < 20 else random.choice([8, 20, BODY, BODY])
    descriptors = random.randrange(MOST_DESCRIPTORS + 1) if random.random() < 0.1 else 0
    return Item(MESSAGE, size, is_last, piece, meta, descriptors, number)


class Asker:
    """A request of this side: its messages, then or meanwhile what comes back, and one end."""

    def __init__(self, program, random):
        self.program, self.side, self.random = program, program.side, random
        self.messages = random.choice([1, 1, 1, 2, 5])
        self.last = random.choice(["message", "message", "end", "failure" if random.random() < 0.3 else "end"])
        # Whether it goes on sending when all has come back.
        self.is_stubborn = random.random() < 0.5
        self.patience = random.randrange(5, 60) if random.random() < 0.3 else None
        # It ends its direction when the other requests have ended, as a subscription may.
        self.outlasts = False
        self.lane = None
        self.sent = self.received = 0
        # Steps until it takes what comes next.
        self.busy = 0
        self.end = None

    def step(self):
        return self.ask() if self.lane is None else self.lose_patience() or self.upload() or self.take()

    def ask(self):
        if self.side.wants_end or self.side.is_closed:
            # Nothing new is asked after `disconnect`.
            self.finish("refused")
            self.lane = self.side.zero
        else:
            self.lane = self.side.open(self)
            self.upload()
        return True

    def lose_patience(self):
        if self.patience is None or self.end:
            return False
        self.patience -= 1
        if self.patience > 0:
            return False
        self.patience = None
        self.side.give_up(self.lane)
        self.finish("given up")
        return True

    def upload(self):
        if self.lane.is_over or self.lane.out or self.sent is None or self.lane is self.side.zero:
            return False
        if self.end and not self.is_stubborn:
            self.side.give_up(self.lane)
            return True
        if self.sent < self.messages:
            is_last = self.sent == self.messages - 1 and self.last == "message"
            meta = self.random.randrange(1, 8) if self.sent == 0 else 0
            self.side.send(self.lane, some_message(self.random, self.sent, is_last, meta))
            self.sent = None if is_last else self.sent + 1
        elif self.outlasts and not self.program.others_have_ended():
            return False
        else:
            kind = FAILURE if self.last == "failure" else END
            self.side.send(self.lane, Item(kind, 3 if kind == FAILURE else 0, True, number=self.sent))
            self.sent = None
        return True

    def take(self):
        if self.end or self.lane.waits:
            return False
        if self.busy:
            self.busy -= 1
            return True
        if self.lane.is_over and not self.lane.whole:
            # Its own failure has been written.
            require(self.last == "failure", "a request is over, and nobody said so")
            self.finish("failed")
            return True
        message = self.side.take(self.lane)
        if message:
            self.deliver(message)
        return True

    def deliver(self, message):
        require(not self.end, "a message after the end of its request")
        if message.kind == MESSAGE:
            require(message.number == self.received, "the messages of a conversation are out of order")
            self.received += 1
        self.busy = self.random.choice([0, 0, 10])
        if message.is_last:
            self.finish(message.kind)

    def over(self, reason):
        if not self.end:
            self.finish(reason)

    def finish(self, reason):
        require(not self.end, f"a request ends twice: {self.end}, {reason}")
        self.end = reason


class Handler:
    """What works on a request of the other side."""

    def __init__(self, program, lane, random):
        self.program, self.side, self.lane, self.random = program, program.side, lane, random
        middle = [random.choice(["take", "send"]) for _ in range(random.choice([0, 0, 1, 3, 8]))]
        # Afterwards it may take what is left, or gives it up; where a request may last, it stays to the end.
        last = random.choice(["reply", "reply", "reply", "end", *([] if program.lasts else ["failure", "cancel"])])
        self.steps = ["take", *middle, last]
        self.drains = program.lasts or random.random() < 0.5
        self.linger = random.randrange(4)
        self.sent = self.received = 0
        self.has_started = self.has_stopped = False

    def step(self):
        if self.has_stopped:
            return False
        if self.lane.is_over:
            return self.stop()
        if not self.has_started:
            return self.start()
        if not self.steps:
            return self.leave()
        step = self.steps[0]
        if step == "take":
            return self.take()
        if self.lane.out:
            return False
        self.steps.pop(0)
        if step == "cancel":
            self.side.give_up(self.lane)
        elif step == "end":
            self.side.send(self.lane, Item(END, is_last=True))
        elif step == "failure":
            self.side.send(self.lane, Item(FAILURE, 3, True, number=self.sent))
        else:
            self.side.send(self.lane, some_message(self.random, self.sent, step == "reply"))
            self.sent += 1
        return True

    def start(self):
        if self.program.running == self.program.slots:
            return False
        self.program.running += 1
        self.has_started = True
        return True

    def stop(self):
        self.linger -= 1
        if self.linger < 0:
            self.has_stopped = True
            self.program.running -= self.has_started
            self.side.has_stopped(self.lane)
        return True

    def take(self):
        if self.lane.waits:
            return False
        if self.lane.in_ended and not self.lane.whole:
            self.steps.pop(0)
            return True
        message = self.side.take(self.lane)
        if message:
            self.deliver(message)
        return True

    def leave(self):
        if self.lane.out:
            return False
        if not self.drains:
            self.side.give_up(self.lane)
            return True
        return not self.lane.in_ended and self.take()

    def deliver(self, message):
        if message.kind == MESSAGE:
            require(message.number == self.received, "the messages of a conversation are out of order")
            self.received += 1
        if self.steps:
            self.steps.pop(0)

    def over(self, reason):
        pass


class Program:
    def __init__(self, side, random, plain, requests, lasting, consumer, slots, lasts):
        self.side, self.random = side, random
        side.program = side.zero.owner = self
        self.plain = plain
        self.sent = self.received = 0
        # `there`, `late`, `absent`, or `after`: it takes messages when its requests have ended.
        self.consumer = consumer
        self.takes = consumer == "there"
        self.askers = [Asker(self, random) for _ in range(requests + lasting)]
        for asker in self.askers[requests:]:
            asker.outlasts = asker.is_stubborn = True
            asker.patience, asker.last = None, "end"
        random.shuffle(self.askers)
        self.handlers = []
        self.slots, self.running = slots, 0
        # Whether the other side has requests that outlast its others.
        self.lasts = lasts

    def others_have_ended(self):
        return all(asker.end for asker in self.askers if not asker.outlasts)

    def step(self):
        if self.side.is_stopped:
            return False
        steps = [self.send_plain, self.take_plain]
        steps += [asker.step for asker in self.askers] + [handler.step for handler in self.handlers]
        self.random.shuffle(steps)
        return any(step() for step in steps)

    def send_plain(self):
        if self.sent == self.plain or self.side.wants_end or self.side.is_closed:
            return False
        self.side.send(self.side.zero, some_message(self.random, self.sent))
        self.sent += 1
        return True

    def take_plain(self):
        if self.consumer == "after" and not self.takes:
            self.takes = all(asker.end for asker in self.askers)
        lane = self.side.zero
        if not self.takes or lane.waits or (self.side.is_closed and not lane.whole):
            return False
        message = self.side.take(lane)
        if message:
            self.deliver(message)
        return True

    def pause(self):
        self.takes = self.side.zero.waits = False

    def resume(self):
        self.takes = True

    def deliver(self, message):
        require(message.number == self.received, "the plain messages are out of order")
        self.received += 1

    def asked(self, lane):
        handler = Handler(self, lane, self.random)
        lane.owner = handler
        self.handlers.append(handler)

    def over(self, reason):
        pass
