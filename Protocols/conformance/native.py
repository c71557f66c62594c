"""The clauses of the native dialect, ../native-v1.md. The framing here is its own, so that it shares no mistake."""

import json
import math
import os
import random
import resource
import socket
import struct
from pathlib import Path

from running import Clauses, Failure, NotApplicable, Program, close_all, require

VECTORS = json.loads((Path(__file__).resolve().parent.parent / "vectors/native-v1.json").read_text())
HELLO, ABORT, MESSAGE, BYTES = 0x01, 0x02, 0x10, 0x11
KINDS = {"hello": HELLO, "abort": ABORT, "message": MESSAGE, "bytes": BYTES}
LIMIT = 67_108_864
STANDARD_HELLO = b'{"version":{"major":1,"minor":0},"features":[],"limits":{"message":1024}}'

clause = Clauses()


class Context:
    """What all clauses know: the command, and what the first hello said."""

    def __init__(self, command, seconds):
        self.command, self.seconds = command, seconds
        self.takes_handles = False

    def start(self, limit=LIMIT, features=("handles",), hello=True, **options):
        before = frame(HELLO, hello_body(limit, features)) if hello else b""
        return self.start_with(before, **options)

    def start_with(self, before, **options):
        return NativeProgram(self.command, before=before, seconds=self.seconds, **options)

    def require_handles(self):
        if not self.takes_handles:
            raise NotApplicable("the hello does not name the feature `handles`")


def frame(kind, body=b"", flags=0, descriptors=0):
    return struct.pack(">IBBH", 4 + len(body), kind, flags, descriptors) + body


def hello_body(limit=LIMIT, features=("handles",)):
    limits = {"message": limit}
    hello = {"version": {"major": 1, "minor": 0}, "features": list(features), "limits": limits}
    return json.dumps(hello, separators=(",", ":")).encode()


class NativeProgram(Program):
    """A program under test, and the frames that came from it; messages with their fragments put together."""

    def __init__(self, command, **options):
        self.buffer = bytearray()
        self.offset = 0
        self.message = None
        self.frames = []
        self.hello = None
        super().__init__(command, lambda number: {"SWIFT_FORK_CHANNEL_FD": str(number)}, **options)

    def __exit__(self, *exception):
        for _, _, fds in self.frames:
            close_all(fds)
        super().__exit__(*exception)

    def take(self, data):
        self.buffer += data
        while len(self.buffer) >= 8:
            length, kind, flags, count = struct.unpack(">IBBH", self.buffer[:8])
            require(length >= 4, f"a frame came with the length {length}")
            if len(self.buffer) < 4 + length:
                return
            body = bytes(self.buffer[8 : 4 + length])
            del self.buffer[: 4 + length]
            self.take_frame(kind, flags, count, body)
            self.offset += 4 + length

    def take_frame(self, kind, flags, count, body):
        fds = self.claim(count)
        if kind in (HELLO, ABORT):
            require(flags == 0, f"a control frame came with the flags {flags}")
            require((kind == HELLO) == (self.hello is None), "the hello is not the first frame, or not the only one")
            if kind == HELLO:
                self.hello = json.loads(body)
            else:
                self.frames.append((kind, body, fds))
            return
        require(self.hello is not None, f"a frame of the kind {kind} came before the hello")
        require(kind in (MESSAGE, BYTES) and flags in (0, 1), f"a frame of the kind {kind} with the flags {flags} came")
        if self.message:
            require(self.message[0] == kind and not fds, "a fragment does not go with the one before it")
            self.message[1].append(body)
        else:
            self.message = (kind, [body], fds)
        if flags == 0:
            kind, pieces, fds = self.message
            self.frames.append((kind, b"".join(pieces), fds))
            self.message = None

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
        """The next message, or the abort."""
        self.wait_for_frames(1)
        return self.frames.pop(0)

    def ask(self, value, **more):
        self.send(frame(MESSAGE, json.dumps({"$ask": value, **more}).encode()))

    def send_message(self, value, fds=()):
        self.send(frame(MESSAGE, json.dumps(value).encode(), 0, len(fds)), fds)

    def expect_value(self, value):
        kind, body, fds = self.next()
        close_all(fds)
        require(kind == MESSAGE, f"{name_of(kind, body)} came in place of {shorten(value)}")
        require(same(decode(body), value), f"{shorten(body)} came in place of {shorten(value)}")
        return fds

    def expect_works(self):
        """The channel is as good as ever."""
        self.send(frame(MESSAGE, b'["still here"]'))
        self.expect_value(["still here"])

    def expect_graceful_end(self):
        self.finish()
        self.wait_for_end()
        require(not self.frames, f"{len(self.frames)} frames came that nobody asked for")
        require(not self.buffer and not self.message, "the stream ended inside a frame or a message")
        self.require_exit()

    def expect_protocol_error(self):
        """An abort, or none, and then the end; nothing else."""
        self.wait_for_end()
        kinds = [kind for kind, _, _ in self.frames]
        require(kinds in ([], [ABORT]), f"frames came after the mistake: {[name_of(*f[:2]) for f in self.frames]}")
        self.exit_code()
        return check_abort(self.frames[0][1]) if kinds else "ended without an abort"


def check_abort(body):
    abort = decode(body)
    is_right = isinstance(abort, dict) and abort.get("code") == "protocolViolation"
    require(is_right and isinstance(abort.get("message"), str), f"the abort is {shorten(body)}")
    return f"aborted: {abort['message']}"


def name_of(kind, body):
    names = {number: name for name, number in KINDS.items()}
    return f"{names[kind]} {shorten(body)}"


def shorten(value):
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 100 else text[:97] + "…"


# Values


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


# 1. Transport


@clause("1", "the number of the descriptor is taken from the variable")
def number(context):
    with context.start(number=40) as program:
        program.expect_works()
        program.expect_graceful_end()


@clause("1", "the variable is removed from the environment")
def variable(context):
    with context.start() as program:
        program.ask("environment")
        program.expect_value({"environment": None})
        program.expect_graceful_end()


@clause("1", "the descriptor is close-on-exec")
def close_on_exec(context):
    with context.start() as program:
        program.expect_works()
        if program.number not in program.descriptors():
            return "it has another number now"
        require(program.is_close_on_exec(program.number), "it is not")


# 4. Hello


@clause("4", "the hello comes first, and does not wait for the parent's")
def hello_first(context):
    with context.start(hello=False) as program:
        hello = program.wait_for_hello()
        require(hello["version"] == {"major": 1, "minor": 0}, f"the version is {hello['version']}")
        require(all(isinstance(name, str) for name in hello["features"]), f"the features are {hello['features']}")
        limit = hello["limits"]["message"]
        require(type(limit) is int and limit >= 1024, f"the limit is {limit}")
        context.takes_handles = "handles" in hello["features"]
        program.stay_quiet()
        require(not program.frames, "more than the hello came")
        program.send(frame(HELLO, hello_body()))
        program.expect_works()
        program.expect_graceful_end()
        return f"features {hello['features']}, limit {limit}"


@clause("4", "a child adopts the limit of a hello that it finds")
def adopted_limit(context):
    for limit in (1024, 4096, 1_000_000_000):
        with context.start(limit=limit) as program:
            announced = program.wait_for_hello()["limits"]["message"]
            require(announced == limit, f"it announced {announced}, not {limit}")
            program.send(frame(BYTES, bytes(min(limit, 4096))))
            require(program.next()[1] == bytes(min(limit, 4096)), "a message of that size did not come back")


@clause("4", "messages that follow the hello at once are read")
def messages_with_hello(context):
    before = frame(HELLO, hello_body()) + b"".join(frame(MESSAGE, str(n).encode()) for n in range(100))
    with context.start_with(before) as program:
        for number in range(100):
            program.expect_value(number)
        program.expect_graceful_end()


# 8. JSON. Here, because all that follows relies on it


TEXTS = [
    "null", "true", "false", '""', "[]", "{}", "0", "-1", "9007199254740991", "9007199254740992", "9007199254740993",
    "-9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615",
    "9223372036854776000", "18446744073709552000", "-18446744073709552000", "-0", "-0.0", "0.0", "1.0", "0.1",
    "1e0", "1E+2", "1e-2", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308", "-1.7976931348623157E+308",
    "0.30000000000000004", "123456789.12345678", "9007199254740993.0", "1e21", "1e22", "4.35", "0e5", "-0e-5",
    '"\\u0000"', '"a\\u0000b"', '"\\ud83d\\udc22"', '"\\/\\b\\f\\n\\r\\t\\"\\\\"', '{"":{"":[]}}', '{"\\u0000":0}',
    '{"__proto__":{"a":1},"constructor":2,"toString":3,"hasOwnProperty":4}', '{"1":1,"b":2,"0":3,"a":4,"-1":5}',
    '{"\\u00e9":1,"e\\u0301":2}', " [ 1 , 2 ] ", "\t{\n\"a\"\r:\n1\t}\n", '[[[[[[]]]]]]', '{"$error":"mine"}',
    '{"$ask":"nothing of the kind"}', '{"cmd":"NODE_HANDLE"}', '"NaN"', '"\\ufeff"', '"\\uffff\\ufffe"',
]
STRINGS = [
    "Grüße 🐢", "\u2028\u2029", "\ufeff inside", "e\u0301 é \uac00 \u1100\u1161", "👨‍👩‍👧‍👦🏳️‍🌈",
    "\U0010ffff\U00010000\ud7ff\ue000\uffff", "\u202eright to left\u202c שלום", "\x7f\x80\x9f\xa0",
    "".join(map(chr, range(0x20, 0x250))), "".join(map(chr, range(0, 0x20))), "\"\\/'`<>&", "\u0300" * 200,
    "x" * 70_000, "🐢" * 20_000,
]


@clause("8", "every value comes back as it was sent")
def values(context):
    texts = [text.encode() for text in TEXTS]
    texts += [json.dumps(text, ensure_ascii=False).encode() for text in STRINGS]
    texts += [json.dumps({text: [text]}).encode() for text in STRINGS]
    texts += [b"[" * 512 + b"]" * 512, b'{"a":' * 511 + b"[]" + b"}" * 511]
    texts += [str(2**power + step).encode() for power in range(50, 64) for step in (-1, 0, 1)]
    numbers = random.Random(1)
    doubles = [struct.unpack(">d", numbers.randbytes(8))[0] for _ in range(500)]
    texts += [repr(double).encode() for double in doubles if math.isfinite(double)]
    wrong = []
    with context.start() as program:
        for text in texts:
            program.send(frame(MESSAGE, text))
            kind, body, fds = program.next()
            if kind != MESSAGE or fds or not same(decode(body), decode(text)):
                wrong.append(f"{shorten(text.decode())} came back as {shorten(body.decode(errors='replace'))}")
        require(not wrong, f"{len(wrong)} of {len(texts)}: " + "; ".join(wrong[:10]))
        program.expect_graceful_end()
    return f"{len(texts)} values"


def add_payload_clause(vector):
    @clause("8", f"payload: {vector['name']}")
    def payload(context):
        text = vector_bytes(vector, "body")
        with context.start() as program:
            program.send(frame(MESSAGE, text))
            expected = {"$error": vector["error"]} if "error" in vector else decode(text)
            program.expect_value(expected)
            program.expect_works()


def vector_bytes(vector, name):
    if name in vector:
        return vector[name].encode() if name == "body" else bytes.fromhex(vector[name])
    if name + "Hex" in vector:
        return bytes.fromhex(vector[name + "Hex"])
    parts = vector["parts"] if "parts" in vector else vector[name + "Parts"]
    return b"".join(bytes.fromhex(part["hex"]) * part.get("repeat", 1) for part in parts)


for vector in VECTORS["payloads"]:
    add_payload_clause(vector)


# 2, 3, 5. Frames, fragments, limits


@clause("2", "bytes come back as they were sent")
def binary(context):
    bodies = [b"", b"\0", bytes(range(256)), b'"not JSON"', os.urandom(100_000)]
    with context.start() as program:
        for body in bodies:
            program.send(frame(BYTES, body))
            kind, echo, _ = program.next()
            require(kind == BYTES and echo == body, f"{shorten(echo)} came in place of {shorten(body)}")
        program.expect_graceful_end()


@clause("3", "fragments of every size, empty ones and single bytes among them, make a message")
def fragments(context):
    text = '["Grüße 🐢", {"a": [1, 2, 3]}]'.encode()
    with context.start() as program:
        for size in (1, 2, 7, len(text)):
            pieces = [text[at : at + size] for at in range(0, len(text), size)]
            for piece in [b"", *pieces, b""]:
                program.send(frame(MESSAGE, piece, 1))
            program.send(frame(MESSAGE))
            program.expect_value(decode(text))
        data = os.urandom(5000)
        program.send(b"".join(frame(BYTES, data[at : at + 1], 1) for at in range(len(data))) + frame(BYTES))
        require(program.next()[1] == data, "bytes in single fragments did not come back")
        program.expect_graceful_end()


@clause("3", "a message of 16 MB, in one frame and in many, as JSON and as bytes")
def large(context):
    text = json.dumps(["x" * 1_000_000, "🐢" * 3_750_000], ensure_ascii=False).encode()
    data = os.urandom(16 << 20)
    with context.start() as program:
        program.send(frame(MESSAGE, text))
        program.expect_value(decode(text))
        program.send(frame(BYTES, data))
        require(program.next()[1] == data, "the bytes did not come back")
        for at in range(0, len(data), 100_000):
            program.send(frame(BYTES, data[at : at + 100_000], int(at + 100_000 < len(data))))
        require(program.next()[1] == data, "the fragments did not come back")
        program.expect_graceful_end()


@clause("5", "a message is as long as the limit, and not longer")
def limit(context):
    with context.start(limit=5000) as program:
        program.send(frame(BYTES, bytes(5000)))
        require(program.next()[1] == bytes(5000), "a message as long as the limit did not come back")
        program.send(frame(BYTES, bytes(2500), 1) + frame(BYTES, b"", 1))
        # No byte of the body is sent: the header is enough.
        program.send(struct.pack(">IBBH", 4 + 2501, BYTES, 0, 0))
        return program.expect_protocol_error()


@clause("5", "nothing is sent over the limit in the parent's hello")
def limit_of_parent(context):
    with context.start(hello=False) as program:
        program.wait_for_hello()
        program.send(frame(HELLO, hello_body(1024)))
        program.expect_works()
        program.send(frame(BYTES, bytes(1025)))
        program.expect_value({"$error": "messageTooLong"})
        program.expect_works()
        program.expect_graceful_end()


def add_stream_clause(vector):
    @clause("10", f"stream: {vector['name']}")
    def stream(context):
        seen = play(context, vector, False)
        again = play(context, vector, True)
        return seen if seen == again else f"{seen}; in small pieces: {again}"


def play(context, vector, in_pieces):
    """Sends a vector as a parent would, and looks at what comes back."""
    data = vector_bytes(vector, "hex")
    limit = vector.get("limit", LIMIT)
    # A peer adopts its parent's limit, so the hello has to say what the vector's reader has.
    standard = frame(HELLO, STANDARD_HELLO)
    own = frame(HELLO, hello_body(limit))
    is_standard = data.startswith(standard) and STANDARD_HELLO != data[8:]
    start, rest = (own, data[len(standard) :]) if is_standard else (data[: 1 << 16], data[1 << 16 :])
    if in_pieces and not is_standard:
        start, rest = b"", data
    with context.start_with(start) as program:
        send_vector(program, rest, in_pieces, context.takes_handles)
        expected = expected_frames(vector, context.takes_handles)
        if "error" in vector:
            seen = expect_error(program, expected)
        else:
            program.finish()
            program.wait_for_end()
            expect_frames(program.frames, expected, is_whole=not has_abort(vector))
            seen = "nothing more"
        if "error" not in vector and "atEnd" not in vector and not has_abort(vector):
            program.require_exit()
        return seen


def has_abort(vector):
    return any(item["kind"] == "abort" for item in vector["frames"])


def send_vector(program, data, in_pieces, takes_handles):
    """With the descriptors that the headers announce, as far as there may be such headers."""
    while data:
        length, _, _, count = struct.unpack(">IBBH", data[:8]) if len(data) >= 8 else (len(data), 0, 0, 0)
        first, data = data[: 4 + length], data[4 + length :]
        fds = [0] * count if count <= 253 else []
        size = max(1, len(first) // 1000) if in_pieces else max(1, len(first))
        for at in range(0, len(first), size):
            program.send(first[at : at + size], fds if at == 0 else [])


def expected_frames(vector, takes_handles):
    """What a peer answers. What follows an abort need not be read."""
    reasons = {vector_bytes(item, "body"): item.get("error") for item in VECTORS["payloads"]}
    expected = []
    for item in vector["frames"]:
        kind, body, count = KINDS[item["kind"]], vector_bytes(item, "body"), item.get("descriptors", 0)
        if kind in (HELLO, ABORT):
            continue
        reason = reasons.get(body) if kind == MESSAGE else None
        if count and not takes_handles:
            reason, count = "handlesNotTaken", 0
        answer = (MESSAGE, {"$error": reason}) if reason else (kind, decode(body) if kind == MESSAGE else body)
        expected.append((*answer, count if not reason else 0))
    return expected


def expect_error(program, expected):
    program.wait_for_end()
    frames = program.frames
    aborts = [body for kind, body, _ in frames if kind == ABORT]
    require(len(aborts) <= 1 and all(kind != ABORT for kind, _, _ in frames[:-1]), "something came after the abort")
    # What had been answered when the mistake was found need not have been sent.
    expect_frames([item for item in frames if item[0] != ABORT], expected, is_whole=False)
    program.exit_code()
    return check_abort(aborts[0]) if aborts else "ended without an abort"


def expect_frames(frames, expected, is_whole):
    for (kind, body, fds), (wanted_kind, wanted, count) in zip(frames, expected):
        value = decode(body) if kind == MESSAGE else body
        is_same = kind == wanted_kind and same(value, wanted)
        require(is_same, f"{name_of(kind, body)} came in place of {shorten(wanted)}")
        require(len(fds) == count, f"{len(fds)} descriptors came back in place of {count}")
    require(len(frames) <= len(expected), f"{len(frames)} frames came, and {len(expected)} were expected")
    require(not is_whole or len(frames) == len(expected), f"{len(frames)} of {len(expected)} frames came")


for vector in VECTORS["streams"]:
    add_stream_clause(vector)


# 6, 7. Abort and end


@clause("7", "10,000 messages come back in their order")
def order(context):
    with context.start() as program:
        for number in range(10_000):
            program.send_message({"number": number})
        program.wait_for_frames(10_000)
        for number in range(10_000):
            program.expect_value({"number": number})
        program.expect_graceful_end()


@clause("7", "what was sent before the parent's end is answered before the child's")
def parent_ends(context):
    with context.start() as program:
        for number in range(1000):
            program.send_message([number, "x" * 1000])
        program.finish()
        for number in range(1000):
            program.expect_value([number, "x" * 1000])
        program.expect_graceful_end()


@clause("7", "a child that has ended its direction reads on")
def child_ends(context):
    with context.start() as program:
        program.send_message("before")
        program.ask("disconnect")
        program.wait_for_end()
        program.expect_value("before")
        require(not program.was_reset, "the child closed its socket")
        for _ in range(5000):
            program.outgoing.append((memoryview(frame(MESSAGE, b'"%s"' % (b"x" * 100))), []))
        program.finish()
        program.wait_until_sent()
        program.require_exit()


@clause("7", "what a child sends right before it ends arrives")
def farewell(context):
    with context.start() as program:
        program.ask("farewell", count=100_000)
        program.wait_for_end()
        require(len(program.frames) == 100_000, f"{len(program.frames)} of 100,000 messages arrived")
        for number in range(100_000):
            program.expect_value(number)
        program.require_exit()


@clause("7", "a parent that closes with something unread (ECONNRESET) is an end")
def reset(context):
    with context.start() as program:
        program.wait_for_hello()
        program.socket.send(frame(MESSAGE, b"1"))
        # The answer is in this side's socket when that closes.
        program.wait_for_input()
        program.socket.close()
        program.require_exit()


@clause("7", "a parent that closes at once is an end")
def closed(context):
    with context.start(hello=False) as program:
        program.wait_for_hello()
        program.socket.close()
        program.require_exit()


@clause("7", "a parent that closes while messages are being answered is an end")
def closed_amid(context):
    with context.start() as program:
        program.wait_for_hello()
        for _ in range(500):
            program.send(frame(BYTES, bytes(1000)))
        program.socket.close()
        program.require_exit()


@clause("6", "an abort ends the channel")
def abort(context):
    for body in (b'{"code":"protocolViolation","message":"a test"}', b'{"code":"other","message":""}', b"", b"[1,"):
        with context.start() as program:
            program.expect_works()
            program.send(frame(ABORT, body))
            program.finish()
            program.wait_for_end()
            require(not program.frames, "something came after the abort")
            program.exit_code()


# 9. Descriptors


@clause("9", "a message with descriptors for a peer that takes none is lost alone")
def not_taken(context):
    if context.takes_handles:
        raise NotApplicable("the hello names the feature `handles`")
    with context.start() as program:
        for kind in (MESSAGE, BYTES):
            program.send(frame(kind, b"1", 0, 2), [0, 1])
            program.expect_value({"$error": "handlesNotTaken"})
        program.send(frame(BYTES, b"a" * 10, 1, 1), [0])
        program.send(frame(BYTES, b"b" * 10))
        program.expect_value({"$error": "handlesNotTaken"})
        program.expect_works()
        before = program.descriptors()
        program.send(frame(MESSAGE, b"1", 0, 2), [0, 1])
        program.expect_value({"$error": "handlesNotTaken"})
        require(program.descriptors() == before, "the child has descriptors that it did not take")
        program.expect_graceful_end()


def identities(fds):
    return [(os.fstat(fd).st_dev, os.fstat(fd).st_ino) for fd in fds]


def expect_echo(program, kind, body, fds):
    got_kind, got, got_fds = program.next()
    try:
        require((got_kind, got) == (kind, body), f"{name_of(got_kind, got)} came in place of {name_of(kind, body)}")
        require(identities(got_fds) == identities(fds), "other descriptors came back, or in another order")
    finally:
        close_all(got_fds)


class Files:
    """A pipe, a pair of sockets, a listening socket, a file."""

    def __enter__(self):
        self.pipe = os.pipe()
        self.sockets = [*socket.socketpair(), socket.create_server(("127.0.0.1", 0))]
        self.all = [*self.pipe, *(end.fileno() for end in self.sockets), os.open(__file__, os.O_RDONLY)]
        return self

    def __exit__(self, *exception):
        close_all([*self.pipe, self.all[-1]])
        for end in self.sockets:
            end.close()


@clause("9", "pipes, sockets, a listening socket and a file come back, and can be used")
def descriptors(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.send(frame(MESSAGE, b'"all"', 0, len(files.all)), files.all)
        kind, body, fds = program.next()
        require(identities(fds) == identities(files.all), "other descriptors came back, or in another order")
        os.write(fds[1], b"through the pipe")
        require(os.read(files.pipe[0], 100) == b"through the pipe", "the pipe is another one")
        close_all(fds)
        # All other copies of the writing end are closed when this one is the last.
        os.close(files.pipe[1])
        files.pipe = (files.pipe[0],)
        files.all = files.all[:1] + files.all[2:]
        program.expect_works()
        os.set_blocking(files.pipe[0], False)
        require(os.read(files.pipe[0], 1) == b"", "the child has kept a descriptor")
        program.expect_graceful_end()


@clause("9", "from none to 253 descriptors with a message, with JSON and with bytes")
def counts(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        for count in (1, 2, 3, 0, 16, 100, 253):
            fds = (files.all * 50)[:count]
            for kind, body in ((MESSAGE, b"[1]"), (BYTES, b"\0\xff"), (BYTES, b"")):
                program.send(frame(kind, body, 0, count), fds)
                expect_echo(program, kind, body, fds)
        program.expect_graceful_end()


@clause("9", "descriptors ride with the first fragment, of long messages too")
def descriptors_and_fragments(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.send(frame(BYTES, b"", 1, 2), files.all[:2])
        program.send(frame(BYTES, b"abc", 1))
        program.send(frame(BYTES, b"def"))
        expect_echo(program, BYTES, b"abcdef", files.all[:2])
        # In one call, byte by byte, and with the header cut.
        whole = frame(BYTES, b"abc", 1, 3) + frame(BYTES, b"def") + frame(BYTES, b"later")
        for size in (len(whole), 1, 3, 8):
            for at in range(0, len(whole), size):
                program.send(whole[at : at + size], files.all[:3] if at == 0 else [])
            expect_echo(program, BYTES, b"abcdef", files.all[:3])
            expect_echo(program, BYTES, b"later", [])
        data = os.urandom(5 << 20)
        program.send(frame(BYTES, data, 0, 4), files.all[:4])
        expect_echo(program, BYTES, data, files.all[:4])
        program.expect_graceful_end()


@clause("9", "80 messages with descriptors, one after the other, and others between them")
def back_to_back(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        for number in range(80):
            fds = [files.all[number % 5], files.all[(number + 1) % 5]]
            program.send(frame(MESSAGE, b"%d" % number, 0, 2), fds)
            for _ in range(number % 4):
                program.send(frame(MESSAGE, b'"plain"'))
        for number in range(80):
            expect_echo(program, MESSAGE, b"%d" % number, [files.all[number % 5], files.all[(number + 1) % 5]])
            for _ in range(number % 4):
                expect_echo(program, MESSAGE, b'"plain"', [])
        program.expect_graceful_end()


@clause("9", "a message that is lost takes its descriptors with it, and none stays open")
def lost_with_message(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.expect_works()
        before = program.descriptors()
        for _ in range(20):
            program.send(frame(MESSAGE, b"[1,]", 0, 3), files.all[:3])
            program.expect_value({"$error": "syntax"})
        program.expect_works()
        require(program.descriptors() == before, f"the child had {before} open, and has {program.descriptors()}")
        program.expect_graceful_end()


@clause("9", "a message whose descriptors find no room is lost alone")
def no_room(context):
    context.require_handles()
    with context.start() as program, Files() as files:
        program.expect_works()
        opened = program.descriptors()
        free = next(number for number in range(len(opened) + 1) if number not in opened)
        own = resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE)
        for room in (0, 1):
            # Numbers that are in use stay in use above the limit.
            resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (free + room, own[1]))
            program.send(frame(MESSAGE, b"1", 0, 3), files.all[:3])
            program.expect_value({"$error": "handlesLost"})
            program.expect_works()
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, own)
        require(program.descriptors() == opened, f"the child had {opened} open, and has {program.descriptors()}")
        program.send(frame(MESSAGE, b"1", 0, 3), files.all[:3])
        expect_echo(program, MESSAGE, b"1", files.all[:3])
        program.expect_graceful_end()


@clause("9", "no descriptors are sent to a parent that takes none")
def parent_without_handles(context):
    context.require_handles()
    with context.start(features=()) as program:
        program.send(frame(MESSAGE, b"1", 0, 1), [0])
        kind, body, fds = program.next()
        close_all(fds)
        require(not fds, "descriptors came")
        program.expect_works()
        return f"answered {shorten(body)}"


def add_mismatch_clause(title, announced, sent):
    @clause("9", title)
    def mismatch(context):
        # Who takes none is told by the count alone.
        if announced <= 253:
            context.require_handles()
        with context.start() as program:
            program.expect_works()
            program.send(frame(MESSAGE, b"1", 0, announced), [0] * sent)
            return program.expect_protocol_error()


add_mismatch_clause("fewer descriptors than announced are a mistake", 2, 1)
add_mismatch_clause("more descriptors than announced are a mistake", 1, 2)
add_mismatch_clause("announced descriptors that do not come are a mistake", 1, 0)
add_mismatch_clause("a count above 253 is a mistake", 254, 0)


@clause("9", "descriptors that no message announces are a mistake")
def stray(context):
    context.require_handles()
    with context.start() as program:
        program.expect_works()
        program.send(frame(MESSAGE, b"1"), [0])
        program.wait_for_end()
        # The message itself is right, so it may have been answered.
        if program.frames and program.frames[0][0] == MESSAGE:
            program.expect_value(1)
        return program.expect_protocol_error()


@clause("9", "descriptors that come with the middle of a message are a mistake")
def stray_inside(context):
    context.require_handles()
    with context.start() as program:
        program.expect_works()
        program.send(frame(BYTES, bytes(100))[:50])
        program.stay_quiet()
        program.send(frame(BYTES, bytes(100))[50:], [0])
        program.wait_for_end()
        if program.frames and program.frames[0][0] == BYTES:
            program.frames.pop(0)
        return program.expect_protocol_error()
