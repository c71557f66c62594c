"""A program under test that speaks the native dialect. The framing here is its own, so that it shares no mistake."""

import contextlib
import json
import math
import struct
from collections import deque
from pathlib import Path

from running import ROLES, Clauses, Failure, NotApplicable, Program, close_all, require

HELLO, ABORT, PING, PONG, CREDIT, CANCEL, END = range(1, 8)
MESSAGE, BYTES, FAILURE = 0x10, 0x11, 0x12
KINDS = {
    "hello": HELLO, "abort": ABORT, "ping": PING, "pong": PONG, "credit": CREDIT, "cancel": CANCEL, "end": END,
    "message": MESSAGE, "bytes": BYTES, "failure": FAILURE,
}
NAMES = {number: name for name, number in KINDS.items()}
CONTROL_SIZES = {PING: 8, PONG: 8, CREDIT: 16, CANCEL: 0, END: 0}
MORE, OPEN, META = 1, 2, 4

HEADER = struct.Struct(">IBBHQ")
MOST = 262_144  # the longest body of a frame, and the least window
FLOOR = 65_536  # the least message limit
LARGEST = 2**53 - 1
COST, DESCRIPTOR_COST = 64, 4_096
LIMIT = 67_108_864
IDS = 256

clause = Clauses()
VECTORS = json.loads((Path(__file__).resolve().parent.parent / "vectors/native-v1.json").read_text())


def frame(kind, body=b"", flags=0, descriptors=0, id=0):
    return HEADER.pack(12 + len(body), kind, flags, descriptors, id) + body


def with_description(description, body=b""):
    text = json.dumps(description, separators=(",", ":")).encode()
    return struct.pack(">H", len(text)) + text + body


def frames_of(kind, body, id=0, flags=0, description=None, descriptors=0, size=MOST):
    """A message, cut into frames whose bodies have so many bytes at most."""
    if description is not None:
        body = with_description(description, body)
    pieces = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    for number, piece in enumerate(pieces):
        is_last = number == len(pieces) - 1
        bits = (flags if is_last else MORE) | (META if description is not None and number == 0 else 0)
        yield frame(kind, piece, bits, descriptors if number == 0 else 0, id)


def hello_body(limit=LIMIT, window=LARGEST, ids=IDS, features=("handles",)):
    limits = {"message": limit, "window": window, "ids": ids}
    hello = {"version": {"major": 1, "minor": 0}, "features": list(features), "limits": limits}
    return json.dumps(hello, separators=(",", ":")).encode()


class Context:
    """What all clauses know: the command, the role of the program, and what its hello says."""

    def __init__(self, role, command, seconds):
        self.role, self.command, self.seconds = role, command, seconds
        self.takes_handles = False
        self.limit, self.window, self.ids = LIMIT, MOST, 0
        self.idle = None

    def prepare(self):
        with self.start() as program:
            hello = program.wait_for_hello()
            self.takes_handles = "handles" in hello["features"]
            limits = hello["limits"]
            self.limit, self.window, self.ids = limits["message"], limits["window"], limits.get("ids", 0)

    def start(self, limit=LIMIT, window=LARGEST, ids=IDS, features=("handles",), hello=True, **options):
        """The program, after this side's hello."""
        before = frame(HELLO, hello_body(limit, window, ids, features)) if hello else b""
        return self.start_with(before, limit=limit, window=window, ids=ids, **options)

    def start_with(self, before, **options):
        role = ROLES[self.role](self.command)
        return NativeProgram(role, before=before, seconds=self.seconds, **options)

    @contextlib.contextmanager
    def steady(self):
        """A program that several clauses use, one after the other, as long as all is well."""
        program, self.idle = self.idle or self.start(), None
        try:
            yield program
        except BaseException:
            program.__exit__()
            raise
        self.idle = program

    def close(self):
        if self.idle:
            self.idle.__exit__()

    def require_handles(self):
        if not self.takes_handles:
            raise NotApplicable("the hello does not name the feature `handles`")

    def require_conversations(self):
        if self.ids == 0:
            raise NotApplicable("the hello allows no conversations")


class Id:
    """What both directions of an id have come to. Offsets and limits as section 7 has them."""

    def __init__(self, window, granted):
        self.sent, self.limit = 0, window
        self.read, self.granted = 0, granted
        self.waiting = deque()
        self.begun = None
        self.has_ended = self.peer_has_ended = self.is_over = False
        # Whether frames with MORE of this side are on their way.
        self.is_inside = False


class Message:
    """A message, or another frame that a clause looks at: an end or a cancel of an id, an abort."""

    def __init__(self, kind, id=0, body=b"", flags=0, fds=(), description=None):
        self.kind, self.id, self.body, self.fds, self.description = kind, id, body, list(fds), description
        self.is_open = bool(flags & OPEN)

    def __str__(self):
        where = f" on the id {self.id}" if self.id else ""
        return f"{NAMES[self.kind]} {shorten(self.body)}{where}"


class NativeProgram(Program):
    """A program under test, what came from it, and the credit of both sides. Whatever comes is checked."""

    def __init__(self, role, limit=LIMIT, window=LARGEST, ids=IDS, message_limit=None, **options):
        self.buffer = bytearray()
        self.offset = 0
        self.own_limit, self.window, self.ids = limit, window, ids
        # The ids that the program may open, and how many each side has opened.
        self.allowed, self.opened, self.peer_opened = ids, 0, 0
        self.peer_allows = 0
        self.all = {0: Id(MOST, window)}
        # Whether credit is granted for whatever is read.
        self.grants = window != LARGEST
        self.control = deque()
        self.sent_bytes = bytearray()
        self.left_of_frame = 0
        self.hello = None
        self.frames = []
        self.pongs = []
        self.answers_pings = True
        self.credits = 0
        self.has_said_end = self.peer_has_ended = self.was_aborted = False
        limits = {"SWIFT_FORK_MESSAGE_LIMIT": message_limit} if message_limit else {}
        self.is_parent = role.name == "child"
        if self.is_parent:
            self.note(options.get("before", b""))

        def variables(number):
            return {"SWIFT_FORK_CHANNEL_FD": str(number), **limits}

        super().__init__(role, variables, **options)

    def __exit__(self, *exception):
        for message in self.frames:
            close_all(message.fds)
        super().__exit__(*exception)

    # Ids

    def is_own(self, id):
        return (id % 2 == 1) == self.is_parent

    def own_id(self, count):
        """The id of this side's conversation with that number, from 1."""
        return 2 * count - 1 if self.is_parent else 2 * count

    def highest_for_program(self):
        return 0 if self.allowed == 0 else 2 * self.allowed if self.is_parent else 2 * self.allowed - 1

    def find(self, id):
        if id not in self.all:
            window = self.hello["limits"]["window"] if self.hello else MOST
            self.all[id] = Id(window, self.window)
        return self.all[id]

    # What is sent

    def send(self, data, fds=()):
        """Bytes as they are, whatever the credit."""
        self.note(data)
        super().send(data, fds)

    def note(self, data):
        """Keeps the state of the ids for all that is sent. What is wrong with it is the clause's affair."""
        self.sent_bytes += data
        while True:
            skipped = min(self.left_of_frame, len(self.sent_bytes))
            del self.sent_bytes[:skipped]
            self.left_of_frame -= skipped
            if self.left_of_frame or len(self.sent_bytes) < HEADER.size:
                return
            length, kind, flags, count, id = HEADER.unpack(self.sent_bytes[: HEADER.size])
            self.left_of_frame = max(length + 4, HEADER.size)
            self.note_frame(kind, flags, count, id, max(0, length - 12))

    def note_frame(self, kind, flags, count, id, size):
        if id and self.is_own(id) and id == self.own_id(self.opened + 1):
            self.opened += 1
        state = self.find(id)
        if kind in (MESSAGE, BYTES, FAILURE):
            state.sent += COST + size + DESCRIPTOR_COST * count
            state.is_inside = bool(flags & MORE)
            if id and not flags & (MORE | OPEN):
                state.has_ended = True
            state.is_over = state.is_over or (kind == FAILURE and not flags & MORE)
        elif kind == CANCEL:
            state.is_over = True
        elif kind == END:
            state.has_ended = True
            if id == 0:
                self.has_said_end = True
                for other in self.all.values():
                    other.is_over = other.is_over or not other.has_ended

    def put(self, data, fds=()):
        """A frame that waits for its credit; control frames wait for those of their id before them."""
        id = HEADER.unpack(data[: HEADER.size])[4]
        if id and self.is_own(id) and self.hello is None:
            self.wait_for_hello()
        self.find(id).waiting.append((data, list(fds)))
        self.exchange(0)

    def put_message(self, kind, body, id=0, flags=0, fds=(), description=None, size=MOST):
        for number, data in enumerate(frames_of(kind, body, id, flags, description, len(fds), size)):
            self.put(data, fds if number == 0 else ())

    def put_value(self, value, **options):
        self.put_message(MESSAGE, json.dumps(value, ensure_ascii=False).encode(), **options)

    def ask(self, question, **more):
        self.put_value({"$ask": question, **more})

    def open(self, body, kind=MESSAGE, flags=0, fds=(), size=MOST):
        """A conversation that this side opens; its id."""
        id = self.own_id(self.opened + 1)
        self.wait_for_hello()
        self.wait(lambda: id <= self.peer_allows, f"leave to open the id {id}")
        self.put_message(kind, body, id, flags, fds, {"name": "conformance"}, size)
        self.opened = max(self.opened, (id + 1) // 2)
        return id

    def grant(self, id, limit=0):
        """A credit frame; the second number is what the program may open."""
        state = self.find(id)
        state.granted = max(state.granted, limit)
        self.send(frame(CREDIT, struct.pack(">QQ", limit, self.highest_for_program()), id=id))

    @property
    def is_at_border(self):
        return not self.sent_bytes and not self.left_of_frame

    def exchange(self, seconds):
        if self.socket and self.socket.fileno() >= 0:
            self.release_waiting()
        super().exchange(seconds)

    def release_waiting(self):
        """Sends what has its credit by now, and what this side owes."""
        while self.control and self.is_at_border:
            data = self.control.popleft()
            self.note(data)
            self.outgoing.append((memoryview(data), []))
        for state in list(self.all.values()):
            while state.waiting and self.is_at_border and not state.is_over:
                data, fds = state.waiting[0]
                kind = data[4]
                if kind >= MESSAGE and state.sent >= state.limit:
                    break
                state.waiting.popleft()
                self.note(data)
                self.outgoing.append((memoryview(data), fds))

    # What comes

    def take(self, data):
        self.buffer += data
        while len(self.buffer) >= 4:
            length = int.from_bytes(self.buffer[:4], "big")
            require(12 <= length <= MOST + 12, f"a frame came with the length {length}")
            if len(self.buffer) < 4 + length:
                return
            _, kind, flags, count, id = HEADER.unpack(self.buffer[: HEADER.size])
            body = bytes(self.buffer[HEADER.size : 4 + length])
            del self.buffer[: 4 + length]
            self.take_frame(kind, flags, count, id, body)
            self.offset += 4 + length

    def take_frame(self, kind, flags, count, id, body):
        name = NAMES.get(kind)
        require(name, f"a frame came with the unknown kind {kind}")
        require(not flags & ~(MORE | OPEN | META), f"a frame came with the unknown flags {flags}")
        require((kind == HELLO) == (self.hello is None), "the hello is not the first frame, or not the only one")
        require(not self.was_aborted, f"{name} came after an abort")
        fds = self.claim(count)
        if kind < MESSAGE:
            require(flags == 0 and count == 0, f"{name} came with flags or descriptors")
            self.take_control(kind, id, body)
        else:
            self.take_data(kind, flags, count, id, body, fds)

    def take_control(self, kind, id, body):
        name = NAMES[kind]
        size = CONTROL_SIZES.get(kind, len(body))
        require(len(body) == size, f"{name} came with a body of {len(body)} bytes")
        require(id == 0 or kind in (CREDIT, CANCEL, END), f"{name} came with the id {id}")
        if kind == HELLO:
            self.hello = decode(body)
            check_hello(self.hello)
            self.peer_allows = self.own_id(self.hello["limits"].get("ids", 0))
            for state in self.all.values():
                state.limit = max(state.limit, self.hello["limits"]["window"])
        elif kind == ABORT:
            self.was_aborted = True
            self.frames.append(Message(ABORT, body=body))
        elif kind == PING:
            if self.answers_pings:
                self.control.append(frame(PONG, body))
        elif kind == PONG:
            self.pongs.append(body)
        else:
            self.take_control_of_id(kind, id, body)

    def take_control_of_id(self, kind, id, body):
        name = NAMES[kind]
        require(id or kind != CANCEL, "a cancel came on the id 0")
        is_known = id == 0 or (id + 1) // 2 <= (self.opened if self.is_own(id) else self.peer_opened)
        require(is_known, f"{name} came on the id {id}, which nobody has opened")
        state = self.find(id)
        if kind == CREDIT:
            limit, highest = struct.unpack(">QQ", body)
            self.credits += 1
            state.limit = max(state.limit, limit)
            self.peer_allows = max(self.peer_allows, highest)
            return
        if id == 0:
            require(not self.peer_has_ended, "a second end came on the id 0")
            require(not state.begun, "the end came inside a message")
            self.peer_has_ended = True
            return
        if state.is_over or (state.has_ended and state.peer_has_ended):
            return
        if kind == END:
            require(not state.peer_has_ended, f"an end came on the id {id}, which the program has ended")
            require(not state.begun, f"an end came inside a message of the id {id}")
            state.peer_has_ended = True
        else:
            state.is_over = True
        self.frames.append(Message(kind, id))

    def take_data(self, kind, flags, count, id, body, fds):
        name = NAMES[kind]
        where = f"{name} on the id {id}"
        require(not (flags & OPEN and (flags & MORE or id == 0 or kind == FAILURE)), f"{where} has OPEN")
        require(body or not flags & MORE, f"{where} has MORE and no body")
        require(kind != FAILURE or (id and not count), f"{where} can't be one")
        self.check_opened(kind, flags, id)
        state = self.find(id)
        if id and (state.is_over or (state.has_ended and state.peer_has_ended)):
            # It was on its way.
            close_all(fds)
            return
        require(not self.peer_has_ended, f"{where} came after the end")
        require(not state.peer_has_ended, f"{where} came after the end of the id")
        require(not state.begun or state.begun[0] == kind, f"{where} stands between the frames of a message")
        require(not state.begun or not (flags & META or count), f"{where} has a description or descriptors inside")
        require(state.read < state.granted, f"{where} begins at {state.read}, and {state.granted} was granted")
        state.read += COST + len(body) + DESCRIPTOR_COST * count
        description = None
        if flags & META:
            description, body = self.split(body)
        if not state.begun:
            state.begun = (kind, bytearray(), fds, description)
        state.begun[1].extend(body)
        size = len(state.begun[1])
        require(size <= self.own_limit, f"{where} has {size} bytes, and the limit is {self.own_limit}")
        if self.grants and (state.granted - state.read) < self.window // 2:
            state.granted = state.read + self.window
            self.control.append(
                frame(CREDIT, struct.pack(">QQ", state.granted, self.highest_for_program()), id=id))
        if not flags & MORE:
            kind, whole, fds, description = state.begun
            state.begun = None
            state.peer_has_ended = state.peer_has_ended or bool(id and not flags & OPEN)
            state.is_over = state.is_over or kind == FAILURE
            self.frames.append(Message(kind, id, bytes(whole), flags, fds, description))

    def check_opened(self, kind, flags, id):
        if id == 0:
            return
        count = (id + 1) // 2
        if self.is_own(id):
            require(count <= self.opened, f"a frame came on the id {id}, which nobody has opened")
        elif count > self.peer_opened:
            require(count == self.peer_opened + 1, f"the id {id} was opened after {self.peer_opened} others")
            require(count <= self.allowed, f"the id {id} was opened, and {self.allowed} were allowed")
            require(flags & META and kind != FAILURE, f"the id {id} was opened without a description")
            self.peer_opened = count

    def split(self, body):
        size = int.from_bytes(body[:2], "big")
        require(len(body) >= 2 + size, "a description does not lie in its frame")
        description = decode(body[2 : 2 + size])
        require(isinstance(description, dict), f"the description is {shorten(description)}")
        return description, body[2 + size :]

    def claim(self, count):
        """The descriptors of the frame that begins at the offset."""
        fds = []
        if self.arrived and self.arrived[0][0] <= self.offset < self.arrived[0][1] and count > 0:
            fds = self.arrived.pop(0)[2]
        require(len(fds) == count, f"a frame announces {count} descriptors, and {len(fds)} came")
        require(not self.arrived or self.offset < self.arrived[0][1], "descriptors came that no frame announces")
        return fds

    # Conversation

    def wait_for_hello(self):
        self.wait(lambda: self.hello is not None, "a hello")
        return self.hello

    def wait_for_frames(self, count):
        self.wait(lambda: len(self.frames) >= count, f"frame {count} after the hello")

    def next(self):
        """The next message, or what else stands among `frames`."""
        self.wait_for_frames(1)
        return self.frames.pop(0)

    def next_of(self, id):
        """The next one of that id."""
        self.wait(lambda: any(message.id == id for message in self.frames), f"a frame of the id {id}")
        message = next(message for message in self.frames if message.id == id)
        self.frames.remove(message)
        return message

    def have_it_ask(self, value):
        """Has the program open a conversation with a value; its first message."""
        self.ask("request", value=value)
        message = self.next()
        if message.kind == MESSAGE and message.id == 0:
            raise NotApplicable("the program opens no conversations")
        return message

    def expect_value(self, value, id=0, is_open=False):
        message = self.next_of(id) if id else self.next()
        close_all(message.fds)
        require(message.kind == MESSAGE and message.id == id, f"{message} came in place of {shorten(value)}")
        require(same(decode(message.body), value), f"{shorten(message.body)} came in place of {shorten(value)}")
        require(message.is_open == is_open, f"{message} came {'with' if message.is_open else 'without'} OPEN")
        return message

    def expect_bytes(self, data, id=0, is_open=False):
        message = self.next_of(id) if id else self.next()
        close_all(message.fds)
        is_same = message.kind == BYTES and message.id == id and message.body == data
        require(is_same, f"{message} came in place of {shorten(data)}")
        require(message.is_open == is_open, f"{message} came {'with' if message.is_open else 'without'} OPEN")

    def expect_ping(self, value=b"\1\2\3\4\5\6\7\xff"):
        self.send(frame(PING, value))
        self.wait(lambda: value in self.pongs, "a pong")
        self.pongs.clear()

    def expect_works(self):
        """The channel is as good as ever."""
        self.put_value(["still here"])
        self.expect_value(["still here"])

    def expect_works_beside(self):
        """The same where answers to conversations that were given up may have been on their way."""
        self.put_value(["still here"])
        message = self.next_of(0)
        require(decode(message.body) == ["still here"], f"{message} came in place of [\"still here\"]")
        self.frames = [other for other in self.frames if not self.find(other.id).is_over]

    def end(self):
        """Says that this side has no more to send, after what waits."""
        self.wait_for_credit()
        self.send(frame(END))

    def wait_for_credit(self):
        self.wait(lambda: not any(state.waiting for state in self.all.values()), "credit for what waits")

    def wait_for_peers_end(self):
        self.wait(lambda: self.peer_has_ended, "the end of the program")

    def expect_graceful_end(self):
        self.end()
        self.wait_for_peers_end()
        self.wait_for_end()
        require(not self.frames, f"frames came that nobody asked for: {[str(message) for message in self.frames]}")
        require(not self.buffer, "the stream ended inside a frame")
        self.require_exit()

    def expect_protocol_error(self):
        """An abort, or none, and then the end; nothing else."""
        self.wait_for_end()
        kinds = [message.kind for message in self.frames]
        require(kinds in ([], [ABORT]), f"frames came after the mistake: {[str(message) for message in self.frames]}")
        self.exit_code()
        return check_abort(self.frames[0].body) if kinds else "ended without an abort"


def check_hello(hello):
    require(isinstance(hello, dict) and isinstance(hello.get("version"), dict), f"the hello is {shorten(hello)}")
    require(hello["version"].get("major") == 1, f"the version is {hello['version']}")
    features, limits = hello.get("features"), hello.get("limits")
    is_right = isinstance(features, list) and all(isinstance(name, str) for name in features)
    require(is_right, f"the features are {features}")
    require(isinstance(limits, dict), f"the limits are {limits}")
    least = {"message": FLOOR, "window": MOST, **({"ids": 0} if "ids" in limits else {})}
    for name, number in least.items():
        value = limits.get(name)
        is_integer = isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
        require(is_integer and number <= value <= LARGEST, f"limits.{name} is {value}")
        limits[name] = int(value)


def check_abort(body):
    abort = decode(body)
    is_right = isinstance(abort, dict) and abort.get("code") == "protocolViolation"
    require(is_right and isinstance(abort.get("message"), str), f"the abort is {shorten(body)}")
    return f"aborted: {abort['message']}"


def shorten(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:97] + "…"


# Values


def vector_bytes(vector, name):
    if name in vector:
        return vector[name].encode() if name == "body" else bytes.fromhex(vector[name])
    if name + "Hex" in vector:
        return bytes.fromhex(vector[name + "Hex"])
    parts = vector.get("parts") or vector.get(name + "Parts", [])
    return b"".join(bytes.fromhex(part["hex"]) * part.get("repeat", 1) for part in parts)


def decode(body):
    def integer(literal):
        value = int(literal)
        return -0.0 if literal == "-0" else value if -(2**63) <= value < 2**64 else float(literal)

    try:
        return json.loads(body.decode("utf-8"), parse_int=integer)
    except ValueError as error:
        raise Failure(f"{shorten(body)} is not JSON: {error}") from None


def same(left, right):
    """Whether two values are the same; numbers are the same where they have the same value and sign."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return left == right
