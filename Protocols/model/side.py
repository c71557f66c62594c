"""A side of the channel: what native-v1.md says about ids, credit and ends, for who writes and for who reads."""

from collections import deque

from wire import (
    BODY, CANCEL, CREDIT, DESCRIPTOR_COST, END, FAILURE, FLOOR_MESSAGE, FLOOR_WINDOW, FRAME_COST, HELLO, LONGEST,
    MOST_DESCRIPTORS, NO_WINDOW, PING, PONG, Frame, require)

# One frame may go beyond the limit, and a message that is being finished may, with what its frames cost.
BEYOND = FRAME_COST + BODY + DESCRIPTOR_COST * MOST_DESCRIPTORS
LONGEST_COST = LONGEST * (1 + FRAME_COST) + BEYOND


class Item:
    """A message, or the `end` of an id, that waits to be written."""

    def __init__(self, kind, size=0, is_last=False, piece=BODY, meta=0, descriptors=0, number=0):
        self.kind, self.size, self.is_last, self.piece = kind, size, is_last, piece
        self.meta, self.descriptors, self.number = meta, descriptors, number
        self.left = size
        self.has_begun = False
        self.order = 0

    @property
    def next_body(self):
        first = 0 if self.has_begun else self.meta
        return first + min(self.left, max(1, self.piece - first))


class Arrived:
    """A message whose last frame has come, or the `end` of an id; or, before that, a message that has begun."""

    def __init__(self, kind, number, order=0):
        self.kind, self.number, self.order = kind, number, order
        self.cost = 0
        self.is_last = False


class Sending:
    def __init__(self, limit):
        self.offset, self.limit = 0, limit


class Reading:
    def __init__(self, window):
        self.window = window
        self.offset, self.limit, self.taken = 0, window, 0


class Lane:
    """An id as one side sees it: id 0, or a conversation."""

    def __init__(self, is_mine, sending, reading, owner=None):
        self.id, self.is_mine, self.sending, self.reading, self.owner = None, is_mine, sending, reading, owner
        self.out = deque()
        self.whole = deque()
        self.begun = None
        self.waits = self.out_ended = self.in_ended = self.is_over = False

    @property
    def held(self):
        return sum(message.cost for message in self.whole) + (self.begun.cost if self.begun else 0)


class Side:
    def __init__(self, name, rules, random, pipe_out, pipe_in, **options):
        self.name, self.rules, self.random = name, rules, random
        self.pipe_out, self.pipe_in = pipe_out, pipe_in
        self.is_parent = name == "parent"
        self.window, self.ids = options["window"], options["ids"]
        # One that blocks reads nothing inside a write; the least reads when it likes.
        self.blocks, self.is_least = options.get("blocks", False), options.get("is_least", False)
        self.finishes_one = options["finishes_one"]
        self.threshold = options["threshold"]
        self.program = None
        self.zero = Lane(True, Sending(FLOOR_WINDOW), Reading(self.window))
        self.zero.id = 0
        self.lanes = {0: self.zero}
        self.unopened = []
        self.opened = self.allowed = 0  # conversations of this side
        self.peer_opened = self.finished = 0  # conversations of the other side
        self.told = self.ids
        self.peer = None
        self.cancels = deque()
        self.pings_left = options.get("pings", 0)
        self.ping = self.pong = None
        self.finishing = None
        self.order = self.called = 0
        self.has_said_hello = self.said_end = self.read_end = self.wants_end = self.saw_end_of_stream = False
        self.is_patient = self.exits = self.is_closed = self.is_stopped = False

    # What a program does

    def new_lane(self, is_mine, owner):
        rules = self.rules
        sending = self.zero.sending if rules.total_credit else Sending(self.peer.window if self.peer else None)
        reading = self.zero.reading if rules.total_credit else Reading(self.window)
        return Lane(is_mine, sending, reading, owner)

    def open(self, owner):
        """A conversation whose number is given when its first frame is written."""
        lane = self.new_lane(True, owner)
        self.unopened.append(lane)
        if self.rules.numbered_at_call:
            self.called += 1
            lane.id = self.number(True, self.called)
        return lane

    def send(self, lane, item):
        require(not lane.out_ended, "the model sends after the last message")
        self.order += 1
        item.order = self.order
        lane.out.append(item)

    def take(self, lane):
        """A message, or None: then the lane's owner waits for one."""
        if not lane.whole:
            lane.waits = True
            return None
        message = lane.whole.popleft()
        lane.reading.taken += message.cost
        return message

    def give_up(self, lane):
        if lane in self.unopened:
            self.unopened.remove(lane)
            lane.is_over = True
        elif not lane.is_over:
            if not self.rules.says_no_cancel:
                self.cancels.append(lane.id)
            self.drop(lane)

    def has_stopped(self, lane):
        """What worked on a conversation of the other side has stopped."""
        require(lane.is_over, "a handler left its conversation without a word")
        self.finished += 1

    def disconnect(self, is_patient, exits=False):
        self.wants_end, self.is_patient, self.exits = True, is_patient, exits

    def close(self):
        if self.is_closed:
            return
        self.is_closed = True
        self.pipe_out.has_writer = self.pipe_in.has_reader = False
        self.end_conversations(lambda lane: True, "gone")

    # Ids

    def number(self, is_mine, count):
        return 2 * count - 1 if self.is_parent == is_mine else 2 * count

    def count(self, id):
        """Whether a number is one of this side, and the how manieth."""
        is_odd = id % 2 == 1
        return is_odd == self.is_parent, (id + 1) // 2

    def drop(self, lane):
        """The conversation is over; what nobody has taken is dropped."""
        lane.reading.taken += lane.held
        lane.whole.clear()
        lane.out.clear()
        lane.begun = None
        lane.waits = False
        lane.is_over = True
        self.lanes.pop(lane.id, None)

    def complete(self, lane):
        """Both sides have ended it; what has come can still be taken."""
        if lane is not self.zero and lane.out_ended and lane.in_ended and not lane.is_over:
            lane.is_over = True
            self.lanes.pop(lane.id)

    def end_conversations(self, is_over, reason):
        for lane in [lane for lane in self.lanes.values() if lane is not self.zero and is_over(lane)]:
            self.drop(lane)
            lane.owner.over(reason)
        for lane in self.unopened:
            lane.is_over = True
            lane.owner.over(reason)
        self.unopened.clear()

    # Writing

    def write(self, count):
        pipe = self.pipe_out
        if self.is_stopped or self.is_closed or not pipe.has_reader:
            return False
        if pipe.is_inside_frame:
            return pipe.write(count) > 0
        if pipe.room == 0:
            return False
        frame = self.next_frame()
        if frame is None:
            return False
        pipe.begin(frame)
        pipe.write(count)
        return True

    def next_frame(self):
        if not self.has_said_hello:
            self.has_said_hello = True
            return Frame(HELLO, value=self)
        if self.said_end and self.rules.end_closes:
            return None
        controls = self.controls()
        data = [] if self.said_end else [lane for lane in self.sources() if self.may_send(lane)]
        if controls and (not data or self.random.random() < 0.8):
            return self.random.choice(controls)()
        if data:
            return self.data_frame(self.random.choice(data))
        if self.may_end():
            self.said_end = True
            # Where this side still owes a message, none will come.
            self.end_conversations(lambda lane: not lane.out_ended, "disconnected")
            return Frame(END)
        return None

    def controls(self):
        due = []
        if self.cancels:
            due.append(lambda: Frame(CANCEL, self.cancels.popleft()))
        if self.pong is not None:
            due.append(self.pong_frame)
        if self.pings_left and self.ping is None and self.random.random() < 0.1:
            due.append(self.ping_frame)
        if self.rules.needs_no_credit and self.window == NO_WINDOW:
            return due
        lanes = [lane for lane in self.lanes.values() if self.is_due(lane)]
        if not lanes and self.raises_ids():
            # Every credit frame carries the highest id; it has one of its own if there is no other.
            lanes = [self.zero]
        return due + [lambda lane=lane: self.credit_frame(lane) for lane in lanes]

    def raises_ids(self):
        least = self.ids // 2 if self.rules.half_of_ids else 1
        return self.ids + self.finished - self.told >= max(1, least)

    def is_due(self, lane):
        is_counted = self.window != NO_WINDOW and not (lane.in_ended and not self.rules.total_credit)
        return is_counted and self.wanted(lane) - lane.reading.limit >= self.threshold

    def pong_frame(self):
        value, self.pong = self.pong, None
        return Frame(PONG, value=value)

    def ping_frame(self):
        self.ping = self.pings_left
        self.pings_left -= 1
        return Frame(PING, value=self.ping)

    def wanted(self, lane):
        reading = lane.reading
        if self.rules.total_credit:
            begun = sum(other.begun.cost for other in self.lanes.values() if self.is_finished_for(other))
        else:
            begun = lane.begun.cost if self.is_finished_for(lane) else 0
        return reading.window + reading.taken + begun

    def is_finished_for(self, lane):
        """Whether credit is granted for what has come of a begun message."""
        if not lane.begun or not lane.waits or self.rules.window_only:
            return False
        if not self.finishes_one:
            return True
        if not (self.finishing and self.finishing.begun and self.finishing.waits):
            begun = [other for other in self.lanes.values() if other.begun and other.waits]
            self.finishing = min(begun, key=lambda other: other.begun.order)
        return self.finishing is lane

    def credit_frame(self, lane):
        if self.window != NO_WINDOW:
            lane.reading.limit = max(lane.reading.limit, self.wanted(lane))
        if self.raises_ids():
            self.told = self.ids + self.finished
        id = 0 if self.rules.total_credit else lane.id
        return Frame(CREDIT, id, value=(lane.reading.limit, self.told))

    def sources(self):
        """The ids that have something to send; a conversation is opened in any order."""
        found = [lane for lane in self.lanes.values() if lane.out]
        if self.peer and not self.read_end:
            if self.rules.numbered_at_call:
                found += [lane for lane in self.unopened if self.count(lane.id)[1] <= self.allowed]
            elif self.opened < self.allowed:
                found += self.unopened
        if self.rules.one_queue and (found or self.unopened):
            first = min(found + self.unopened, key=lambda lane: lane.out[0].order)
            found = [first] if first in found else []
        return found

    def may_send(self, lane):
        item = lane.out[0]
        if item.kind == END:
            return True
        if not self.peer and not item.has_begun and item.size > FLOOR_MESSAGE:
            return False
        sending = lane.sending
        limit = self.peer.window if sending.limit is None else sending.limit
        if self.rules.must_fit:
            descriptors = 0 if item.has_begun else item.descriptors
            return sending.offset + FRAME_COST + item.next_body + DESCRIPTOR_COST * descriptors <= limit
        return sending.offset < limit

    def data_frame(self, lane):
        if lane in self.unopened:
            self.unopened.remove(lane)
            self.opened += 1
            lane.id = lane.id or self.number(True, self.opened)
            lane.sending.limit = lane.sending.limit or self.peer.window
            self.lanes[lane.id] = lane
        item = lane.out[0]
        if item.kind == END:
            frame = Frame(END, lane.id)
        else:
            first = not item.has_begun
            body = item.next_body
            meta = item.meta if first else 0
            item.left -= body - meta
            item.has_begun = True
            more = item.left > 0
            is_open = not more and not item.is_last and lane is not self.zero
            frame = Frame(
                item.kind, lane.id, body, more, is_open, meta > 0, item.descriptors if first else 0, item.number)
            lane.sending.offset += frame.cost
        if not frame.more:
            lane.out.popleft()
            if lane is not self.zero and item.is_last:
                lane.out_ended = True
                self.complete(lane)
                if item.kind == FAILURE and not lane.is_over:
                    self.drop(lane)
        return frame

    def may_end(self):
        if not self.wants_end or self.said_end or self.unopened:
            return False
        owes = any(lane.out for lane in self.lanes.values())
        if self.is_patient:
            owes = owes or any(not lane.out_ended for lane in self.lanes.values() if lane is not self.zero)
        return not owes

    def close_if_ended(self):
        if self.said_end and not self.is_closed and not self.pipe_out.is_inside_frame:
            if self.read_end or self.exits:
                self.close()
                return True
        return False

    # Reading

    def read(self, count):
        pipe = self.pipe_in
        if self.is_stopped or self.is_closed:
            return False
        if self.blocks and self.pipe_out.is_inside_frame and self.pipe_out.has_reader:
            return False
        if self.is_least and not (self.zero.waits or self.zero.out or self.wants_end):
            return False
        if pipe.is_at_end:
            # Sudden, or after an `end`: whatever had not come by now does not come.
            self.saw_end_of_stream = True
            self.zero.begun = None
            self.close()
            return True
        before = pipe.read
        for frame in pipe.take(count):
            self.read_frame(frame)
        return pipe.read > before

    def read_frame(self, frame):
        if self.peer is None:
            require(frame.kind == HELLO, "noHello")
            self.peer = frame.value
            self.allowed = self.peer.ids
            self.zero.sending.limit = self.peer.window
            return
        require(frame.kind != HELLO, "repeatedHello")
        if frame.kind == PING:
            self.pong = frame.value
        elif frame.kind == PONG:
            self.ping = None if frame.value == self.ping else self.ping
        elif frame.id == 0:
            self.read_in(self.zero, frame)
        else:
            lane = self.lane_of(frame)
            if lane:
                self.read_in(lane, frame)
            elif frame.kind == CREDIT and not self.rules.late_credit_is_dropped:
                self.allow(frame.value[1])
            elif frame.is_data and self.rules.total_credit:
                # A total would have to count what comes late, too.
                self.zero.reading.offset += frame.cost
                self.zero.reading.taken += frame.cost

    def lane_of(self, frame):
        """The conversation of a frame; None if the frame comes late."""
        is_mine, count = self.count(frame.id)
        if is_mine:
            require(count <= self.opened or self.rules.numbered_at_call, "idNotOpened")
        if is_mine or count <= self.peer_opened:
            return self.lanes.get(frame.id)
        require(frame.is_data and count == self.peer_opened + 1, "idNotOpened")
        require(count <= self.told, "tooManyIds")
        require(frame.meta and frame.kind != FAILURE, "openedWithoutMeta")
        self.peer_opened += 1
        lane = self.new_lane(False, None)
        lane.id = frame.id
        if self.said_end:
            # It crossed the `end` of this side, which owes a message here: known, and over at once.
            lane.is_over = True
            self.finished += 1
            return None
        self.lanes[lane.id] = lane
        self.program.asked(lane)
        return lane

    def read_in(self, lane, frame):
        if frame.kind == CREDIT:
            lane.sending.limit = max(lane.sending.limit, frame.value[0])
            self.allow(frame.value[1])
        elif frame.kind == CANCEL:
            self.stop(lane, "cancelled")
        elif frame.kind == END:
            require(not lane.in_ended and not (lane is self.zero and self.read_end), "afterEnd")
            require(not lane.begun, "an end inside a message")
            if lane is self.zero:
                self.peer_ended()
            else:
                self.arrive(lane, Arrived(END, None), True)
        else:
            self.read_data(lane, frame)

    def read_data(self, lane, frame):
        reading = lane.reading
        require(not lane.in_ended and not self.read_end, "afterEnd")
        require(not lane.begun or lane.begun.kind == frame.kind, "interruptedMessage")
        require(not (lane.begun and (frame.meta or frame.descriptors)), "flagsNotAllowed")
        require(not frame.more or frame.body > 0, "emptyFragment")
        require(reading.offset < reading.limit, "overCredit")
        reading.offset += frame.cost
        if not lane.begun:
            self.order += 1
            lane.begun = Arrived(frame.kind, frame.value, self.order)
        lane.begun.cost += frame.cost
        self.check_memory(lane)
        if not frame.more:
            message, lane.begun = lane.begun, None
            self.arrive(lane, message, not frame.open and lane is not self.zero)

    def arrive(self, lane, message, is_last):
        message.is_last = is_last
        lane.in_ended = is_last
        lane.whole.append(message)
        if message.kind == FAILURE and not lane.is_over:
            lane.out.clear()
            lane.is_over = True
            self.lanes.pop(lane.id)
        self.complete(lane)
        if lane.waits:
            lane.waits = False
            lane.owner.deliver(self.take(lane))

    def stop(self, lane, reason):
        """The other side waits for nothing more here. If its last message has come, that stays."""
        if lane.in_ended:
            lane.out.clear()
            lane.is_over = True
            self.lanes.pop(lane.id)
        else:
            self.drop(lane)
            lane.owner.over(reason)

    def peer_ended(self):
        self.read_end = True
        self.end_conversations(lambda lane: not lane.in_ended, "disconnected")
        if not self.wants_end:
            self.disconnect(self.random.random() < 0.5)

    def allow(self, count):
        self.allowed = max(self.allowed, count)

    def check_memory(self, lane):
        """What nobody has taken is bounded by the windows, and one message that is being finished."""
        if self.window == NO_WINDOW or self.rules.total_credit:
            return
        require(lane.held <= self.window + BEYOND + LONGEST_COST, "an id holds more than its window and a message")
        if self.finishes_one:
            held = sum(other.held for other in self.lanes.values())
            # A message on id 0 that was being finished when its consumer went away stays.
            bound = len(self.lanes) * (self.window + BEYOND) + 2 * LONGEST_COST
            require(held <= bound, "the ids together hold more than their windows and one message")
