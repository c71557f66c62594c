"""The clauses of the Node dialect in its JSON mode, ../node.md. The program echoes messages, and handles with them."""

import json
import os
import socket
from pathlib import Path

from native_program import decode, same, shorten, vector_bytes
from native_start import STRINGS
from running import ROLES, Clauses, Program, close_all, require

VECTORS = json.loads((Path(__file__).resolve().parent.parent / "vectors/node-json.json").read_text())
ACK, NACK = {"cmd": "NODE_HANDLE_ACK"}, {"cmd": "NODE_HANDLE_NACK"}

clause = Clauses()


def as_doubles(value):
    """The value as JavaScript has it: an integer beyond 53 bits stands for the nearest double."""
    if isinstance(value, list):
        return [as_doubles(element) for element in value]
    if isinstance(value, dict):
        return {key: as_doubles(member) for key, member in value.items()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return float(value)
    return value


class Context:
    def __init__(self, role, command, seconds):
        self.role, self.command, self.seconds = role, command, seconds

    def start(self, **options):
        return NodeProgram(ROLES[self.role](self.command), seconds=self.seconds, **options)

    def prepare(self):
        pass

    def close(self):
        pass


class NodeProgram(Program):
    """A program under test, and the lines that came from it, each with the descriptors that came with its bytes."""

    def __init__(self, role, **options):
        self.buffer = bytearray()
        self.offset = 0
        self.lines = []

        def variables(number):
            return {"NODE_CHANNEL_FD": str(number), "NODE_CHANNEL_SERIALIZATION_MODE": "json"}

        super().__init__(role, variables, **options)

    def __exit__(self, *exception):
        for _, fds in self.lines:
            close_all(fds)
        super().__exit__(*exception)

    def take(self, data):
        self.buffer += data
        *lines, rest = bytes(self.buffer).split(b"\n") if b"\n" in data else [self.buffer]
        self.buffer = bytearray(rest)
        for line in lines:
            fds = []
            if self.arrived and self.arrived[0][0] <= self.offset < self.arrived[0][1] and b'"NODE_HANDLE"' in line:
                fds = self.arrived.pop(0)[2]
            self.offset += len(line) + 1
            require(not self.arrived or self.offset < self.arrived[0][1], "a descriptor came with no NODE_HANDLE")
            self.lines.append((line, fds))

    def send_text(self, text, fds=()):
        self.send(text.encode() + b"\n", fds)

    def send_value(self, value, fds=()):
        self.send_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), fds)

    def next(self):
        self.wait(lambda: self.lines, "a line")
        line, fds = self.lines.pop(0)
        return decode(line), fds

    def expect(self, value):
        got, fds = self.next()
        close_all(fds)
        require(not fds, "a descriptor came with it")
        require(same(as_doubles(got), as_doubles(value)), f"{shorten(got)} came in place of {shorten(value)}")

    def expect_works(self):
        self.send_value(["still here"])
        self.expect(["still here"])

    def expect_end(self):
        """After this side's: whatever was on its way may be lost, but nothing is here."""
        self.finish()
        self.wait_for_end()
        require(not self.lines, f"{len(self.lines)} lines came that nobody asked for")
        self.require_exit()

    def ask(self, value, **more):
        self.send_value({"$ask": value, **more})

    def send_handle(self, kind, message, descriptor, **more):
        self.send_value({"cmd": "NODE_HANDLE", "type": kind, "msg": message, **more}, [descriptor])

    def expect_handle(self, kind, message, descriptor):
        """The echo of a handle, which is not acknowledged here."""
        got, fds = self.next()
        wanted = {"cmd": "NODE_HANDLE", "type": kind, "msg": message}
        try:
            is_same = isinstance(got, dict) and all(same(got.get(name), value) for name, value in wanted.items())
            require(is_same, f"{shorten(got)} came in place of {shorten(wanted)}")
            require(len(fds) == 1, f"{len(fds)} descriptors came")
            require(os.fstat(fds[0]).st_ino == os.fstat(descriptor).st_ino, "another descriptor came")
        finally:
            close_all(fds)


# 1. Start


@clause("1", "the variables are removed, and the descriptor is close-on-exec", "child")
def variables(context):
    with context.start() as program:
        program.ask("environment")
        program.expect({"environment": [None, None]})
        if program.number in program.descriptors():
            require(program.is_close_on_exec(program.number), "it is not close-on-exec")
        program.expect_end()


@clause("1", "the variables name a channel and the mode", "parent")
def named(context):
    with context.start() as program:
        channel, mode = (program.variables.get(name) for name in ("NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"))
        require(channel and channel.isdecimal(), f"NODE_CHANNEL_FD is {channel!r}")
        require(mode in (None, "json"), f"NODE_CHANNEL_SERIALIZATION_MODE is {mode!r}")
        program.expect_works()
        program.expect_end()


@clause("1", "the end of the child's copies is the end of the stream, so the parent keeps none of them", "parent")
def no_copy_of_childs_end(context):
    with context.start() as program:
        program.expect_works()
        program.socket.close()
        program.exit_code(of_child=1)


@clause("1", "the child has no copy of the parent's end", "parent")
def no_copy_of_own_end(context):
    with context.start() as program:
        program.expect_works()
        program.process.kill()
        # The child runs on.
        program.wait_for_end()


@clause("1", "the parent ends with its child's exit code", "parent")
def exit_code(context):
    with context.start() as program:
        program.expect_works()
        program.finish()
        program.wait_for_end()
        status = program.exit_code(of_child=7)
        require(status == 7, f"it ended with {status}, and its child with 7")


@clause("1", "nothing is sent before the program sends something")
def silence(context):
    with context.start() as program:
        program.stay_quiet(0.5)
        require(program.received == 0, f"{program.received} bytes came")
        program.expect_works()
        program.expect_end()


@clause("1", "the number of the descriptor is taken from the variable", "child")
def number(context):
    with context.start(number=9) as program:
        program.expect_works()
        program.expect_end()


# 2, 3. Lines and JSON


def add_stream_clause(vector):
    @clause("2", f"stream: {vector['name']}")
    def stream(context):
        data = vector["text"].encode() if "text" in vector else vector_bytes(vector, "hex")
        expected = [decode(vector_bytes(item, "body")) for item in vector["frames"] if item["kind"] == "message"]
        for size in (len(data) or 1, max(1, len(data) // 1000)):
            with context.start() as program:
                for at in range(0, len(data), size):
                    program.send(data[at : at + size])
                if "error" not in vector:
                    for value in expected:
                        program.expect(value)
                    program.expect_end()
                    continue
                # A strict reader refuses the line, and reads on or not; Node goes on with what it makes of it, or ends.
                # What it had answered may be lost.
                allowed = expected + ([decode(vector["node"].encode())] if "node" in vector else [])
                program.stay_quiet(0.5)
                program.finish()
                program.wait_for_end()
                got = [decode(line) for line, _ in program.lines]
                rest = allowed + ([2] if data.endswith(b"\n2\n") else [])
                is_right = same(got, allowed[: len(got)]) or same(got, rest)
                require(is_right, f"{shorten(got)} came, and not {shorten(rest)}")


for vector in VECTORS["streams"]:
    add_stream_clause(vector)


@clause("3", "values come back as they were sent")
def values(context):
    texts = [json.dumps(text, ensure_ascii=False) for text in STRINGS]
    texts += [json.dumps({text: text}) for text in STRINGS]
    texts += ["5e-324", "1.7976931348623157e+308", "9007199254740991", "0.1", "1e+21", "[[[[]]]]", '{"":{"":null}}']
    texts += ["[" * 500 + "]" * 500]
    with context.start() as program:
        for text in texts:
            program.send_text(text)
            program.expect(decode(text.encode()))
        program.expect_end()
    return f"{len(texts)} values"


@clause("3", "a message of 16 MB")
def large(context):
    value = ["x" * 8_000_000, "🐢" * 2_000_000]
    with context.start() as program:
        program.send_value(value)
        program.expect(value)
        program.expect_end()


@clause("2", "100,000 messages come back in their order")
def order(context):
    with context.start() as program:
        for start in range(0, 100_000, 1000):
            program.send(b"".join(b'{"number":%d}\n' % number for number in range(start, start + 1000)))
        program.wait(lambda: len(program.lines) >= 100_000, "message 100,000")
        for number, (line, _) in enumerate(program.lines):
            require(decode(line) == {"number": number}, f"{shorten(line)} came in place of {number}")
        program.lines.clear()
        program.expect_end()


# 4. Internal messages


@clause("4", "an internal message that nobody knows is ignored")
def internal(context):
    with context.start() as program:
        program.send_text('{"cmd":"NODE_CONFORMANCE","x":[1]}')
        program.expect_works()
        program.expect_end()


# 5. Handles


class Handles:
    """What can be sent, by the type that it is sent as."""

    def __enter__(self):
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        left, right = socket.socketpair()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        self.open = [server, client, accepted, left, right, datagrams]
        self.all = [
            ("net.Socket", accepted, {}), ("net.Server", server, {}), ("net.Socket", left, {}),
            ("dgram.Socket", datagrams, {"dgramType": "udp4"}),
        ]
        return self

    def __exit__(self, *exception):
        for end in self.open:
            end.close()


@clause("5", "a handle is acknowledged, and comes back with its message")
def handles(context):
    with context.start() as program, Handles() as handles:
        for kind, end, more in handles.all:
            program.send_handle(kind, {"this is": kind}, end.fileno(), **more)
            program.expect(ACK)
            program.expect_handle(kind, {"this is": kind}, end.fileno())
            program.send_value(ACK)
        program.expect_works()
        program.expect_end()


@clause("5", "what was sent after a handle waits for its acknowledgement")
def queue(context):
    with context.start() as program, Handles() as handles:
        (kind, end, _), (other_kind, other, _) = handles.all[:2]
        program.send_handle(kind, "first", end.fileno())
        program.expect(ACK)
        program.expect_handle(kind, "first", end.fileno())
        program.send_value("second")
        program.send_handle(other_kind, "third", other.fileno())
        # It acknowledges at once all the same.
        program.expect(ACK)
        program.stay_quiet()
        require(not program.lines, "a message did not wait")
        program.send_value(ACK)
        program.expect("second")
        program.expect_handle(other_kind, "third", other.fileno())
        program.send_value(ACK)
        program.expect_works()
        program.expect_end()


@clause("5", "a NODE_HANDLE without a descriptor is answered with a NACK, and its message is lost")
def nothing_attached(context):
    with context.start() as program:
        program.send_value({"cmd": "NODE_HANDLE", "type": "net.Socket", "msg": "lost"})
        program.expect(NACK)
        program.expect_works()
        program.expect_end()


@clause("5", "a socket that did not arrive is sent again three times at most; then what waits is sent")
def retransmission(context):
    with context.start() as program, Handles() as handles:
        kind, end, _ = handles.all[0]
        program.send_handle(kind, "again", end.fileno())
        program.expect(ACK)
        program.expect_handle(kind, "again", end.fileno())
        program.send_value("waits")
        seen = []
        while True:
            program.send_value(NACK)
            got, fds = program.next()
            close_all(fds)
            if got == "waits":
                break
            is_handle = isinstance(got, dict) and got.get("cmd") == "NODE_HANDLE" and len(fds) == 1
            require(is_handle, f"{shorten(got)} came in place of the handle")
            seen.append(got["type"])
            require(len(seen) <= 3, "it is sent for the fourth time")
        program.expect_works()
        program.expect_end()
        return f"sent again as {seen}"


@clause("5", "handles and messages come back in their order")
def mixed(context):
    with context.start() as program, Handles() as handles:
        kind, end, _ = handles.all[1]
        for number in range(50):
            program.send_handle(kind, number, end.fileno())
            program.expect(ACK)
            program.expect_handle(kind, number, end.fileno())
            program.send_value(ACK)
            program.send_value(["plain", number])
            program.expect(["plain", number])
        program.expect_end()


# 6. The end


@clause("6", "a side that closes is an end")
def closed(context):
    with context.start() as program:
        program.expect_works()
        program.socket.close()
        program.require_exit()


@clause("6", "a side that closes with something unread is an end")
def reset(context):
    with context.start() as program:
        program.send_value(1)
        program.wait_for_input()
        program.socket.close()
        program.require_exit()


@clause("6", "a program that disconnects closes the socket, and what it had sent arrives")
def program_disconnects(context):
    with context.start() as program:
        program.send_value("before")
        program.ask("disconnect")
        program.wait_for_end()
        program.expect("before") if program.lines else require(False, "what was sent before did not arrive")
        # As Node does at the end of the stream; the program may have ended only its direction.
        program.socket.close()
        program.require_exit()


@clause("6", "what a child had sent when its last callback came arrives before the end", "child")
def farewell(context):
    with context.start() as program:
        program.ask("farewell", count=100_000)
        program.wait_for_end()
        require(len(program.lines) == 100_001, f"{len(program.lines)} of 100,001 messages arrived")
        require(all(decode(line) == number for number, (line, _) in enumerate(program.lines)), "the order is another")
        program.socket.close()
        program.require_exit()
