"""Frames, pipes and numbers of the model. The numbers are small, so that short schedules reach every limit."""

from collections import deque

BODY = 64  # the longest body of a frame
HEADER = 4
FRAME_COST = 2
DESCRIPTOR_COST = 16
FLOOR_MESSAGE = 16  # what every hello allows
FLOOR_WINDOW = 64
NO_WINDOW = 1 << 30  # a window that needs no credit frames
LONGEST = 320  # no message is longer
MOST_DESCRIPTORS = 6

HELLO, PING, PONG, CREDIT, CANCEL, END, MESSAGE, FAILURE = (
    "hello", "ping", "pong", "credit", "cancel", "end", "message", "failure")
BODIES = {HELLO: 8, PING: 2, PONG: 2, CREDIT: 4, CANCEL: 0, END: 0}


class Broken(Exception):
    """A side broke a rule of section 13, or the model's promise about it does not hold."""


def require(condition, explanation):
    if not condition:
        raise Broken(explanation)


class Frame:
    def __init__(self, kind, id=0, body=None, more=False, open=False, meta=False, descriptors=0, value=None):
        self.kind, self.id = kind, id
        self.body = BODIES[kind] if body is None else body
        self.more, self.open, self.meta, self.descriptors = more, open, meta, descriptors
        # What the body says: a number, the numbers of a credit frame, a hello, the number of a message.
        self.value = value

    @property
    def is_data(self):
        return self.kind in (MESSAGE, FAILURE)

    @property
    def cost(self):
        return FRAME_COST + self.body + DESCRIPTOR_COST * self.descriptors


class Pipe:
    """One direction of the socket: bytes of frames, and no more of them than the kernel takes."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.frames = deque()
        self.begun = self.written = self.read = 0
        self.has_writer = self.has_reader = True

    @property
    def room(self):
        return self.capacity - (self.written - self.read)

    @property
    def is_inside_frame(self):
        return self.written < self.begun

    @property
    def is_at_end(self):
        return not self.has_writer and self.read == self.written

    def begin(self, frame):
        self.begun += HEADER + frame.body
        self.frames.append((frame, self.begun))

    def write(self, count):
        count = min(count, self.begun - self.written, self.room)
        self.written += count
        return count

    def take(self, count):
        """So many bytes; the frames that they complete."""
        self.read += min(count, self.written - self.read)
        frames = []
        while self.frames and self.frames[0][1] <= self.read:
            frames.append(self.frames.popleft()[0])
        return frames
