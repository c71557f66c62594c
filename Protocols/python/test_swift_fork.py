"""Tests of swift_fork.py: every vector, and what goes over a real socketpair.

python3 -m unittest discover Protocols/python
"""

import array
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path

import swift_fork
from swift_fork import BYTES, HELLO, MESSAGE, Channel, FrameReader, Hello, MessageLost, ProtocolError

HERE = Path(__file__).resolve().parent
VECTORS = json.loads((HERE.parent / "vectors/native-v1.json").read_text())
KINDS = {"hello": HELLO, "abort": swift_fork.ABORT, "message": MESSAGE, "bytes": BYTES}
SECONDS = 30


def joined(parts):
    return b"".join(bytes.fromhex(part["hex"]) * part.get("repeat", 1) for part in parts)


def stream(vector):
    return joined(vector["parts"]) if "parts" in vector else bytes.fromhex(vector["hex"])


def body(item, prefix="body"):
    if prefix in item:
        return item[prefix].encode()
    return bytes.fromhex(item[prefix + "Hex"]) if prefix + "Hex" in item else joined(item[prefix + "Parts"])


def encoded(kind, body, descriptors=0):
    return b"".join(part for frame in swift_fork.frames(kind, body, descriptors) for part in frame)


def read(pieces, limit):
    """What a reader makes of a stream: frames, and the name of the error that ends it."""
    reader, frames = FrameReader(limit), []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (frame := reader.next()) is not None:
                frames.append((frame.kind, bytes(frame.body), frame.descriptors))
    except ProtocolError as error:
        return frames, error.name, None
    try:
        reader.end()
    except ProtocolError as error:
        return frames, None, error.name
    return frames, None, None


class Vectors(unittest.TestCase):
    def expect(self, vector, pieces):
        frames = [(KINDS[f["kind"]], body(f), f.get("descriptors", 0)) for f in vector["frames"]]
        limit = vector.get("limit", swift_fork.DEFAULT_LIMIT)
        # A plain comparison: unittest would take long to show how megabytes differ.
        self.assertTrue(read(pieces, limit) == (frames, vector.get("error"), vector.get("atEnd")))

    def test_a_stream_that_comes_at_once_byte_by_byte_or_cut_in_two_gives_the_same_frames(self):
        for vector in VECTORS["streams"]:
            data = stream(vector)
            with self.subTest(vector["name"]):
                self.expect(vector, [data])
                self.expect(vector, [data[at : at + 1] for at in range(len(data))])
                # Long streams are cut at some places only, the headers' among them.
                for at in range(0, len(data), max(1, len(data) // 500)):
                    self.expect(vector, [data[:at], data[at:]])

    def test_a_payload_is_taken_or_refused_for_its_reason(self):
        for vector in VECTORS["payloads"]:
            text = joined(vector["parts"]) if "parts" in vector else body(vector)
            with self.subTest(vector["name"]):
                if "error" in vector:
                    with self.assertRaises(swift_fork.JSONError) as caught:
                        swift_fork.decode_json(text)
                    self.assertEqual(caught.exception.name, vector["error"])
                else:
                    value = swift_fork.decode_json(text)
                    again = swift_fork.decode_json(swift_fork.encode_json(value))
                    self.assertEqual(repr(again), repr(value))


class JSON(unittest.TestCase):
    def test_numbers_are_exact(self):
        for text, value in [
            ("-9223372036854775808", -(2**63)), ("18446744073709551615", 2**64 - 1), ("9007199254740993", 2**53 + 1),
            ("-0", -0.0), ("18446744073709552000", 2.0**64), ("1.0", 1.0), ("0e-999", 0.0),
        ]:
            self.assertEqual(repr(swift_fork.decode_json(text.encode())), repr(value))

    def test_what_json_cannot_say_is_not_sent(self):
        deep = []
        for _ in range(swift_fork.MOST_LEVELS):
            deep = [deep]
        numbers = [float("nan"), float("-inf"), 2**64, -(2**63) - 1]
        values = [*numbers, "\ud800", {1: 2}, {None: 1}, {"a": b""}, deep, {1, 2}]
        for value in values:
            with self.subTest(repr(value)[:40]), self.assertRaises(swift_fork.JSONError):
                swift_fork.encode_json(value)


class TestChannel(unittest.TestCase):
    def pair(self, **options):
        first, second = socket.socketpair()
        for end in (first, second):
            end.settimeout(SECONDS)
            self.addCleanup(end.close)
        channels = Channel(first, **options), Channel(second, **options)
        for channel in channels:
            self.addCleanup(channel.close)
        return channels

    def raw(self, **options):
        """A channel, and the bare socket at its other end, which has sent a hello and knows the channel's."""
        own, other = socket.socketpair()
        other.settimeout(SECONDS)
        own.settimeout(SECONDS)
        channel = Channel(own, **options)
        self.addCleanup(other.close)
        self.addCleanup(channel.close)
        other.recv(1000)
        other.sendall(encoded(HELLO, Hello(limit=2000).encoded()))
        return channel, other

    def test_values_and_bytes_go_both_ways_in_order(self):
        left, right = self.pair()
        for sender, receiver in ((left, right), (right, left)):
            for number in range(40):
                sender.send({"number": number, "text": "Grüße 🐢\u0000"})
            sender.send_bytes(b"\0\xff")
            for number in range(40):
                self.assertEqual(receiver.receive().value, {"number": number, "text": "Grüße 🐢\u0000"})
            self.assertEqual(receiver.receive().bytes, b"\0\xff")

    def test_a_message_of_many_fragments_arrives_with_its_descriptors(self):
        left, right = self.pair()
        data = os.urandom(5 * swift_fork.FRAGMENT + 1)
        for sender, receiver in ((left, right), (right, left)):
            reading, writing = os.pipe()
            thread = threading.Thread(target=lambda: sender.send_bytes(data, [writing]))
            thread.start()
            message = receiver.receive()
            thread.join(SECONDS)
            self.assertTrue(message.bytes == data)
            os.close(writing)
            os.write(message.fds[0], b"through the copy")
            os.close(message.fds[0])
            self.assertEqual(os.read(reading, 100), b"through the copy")
            self.assertEqual(os.read(reading, 100), b"")
            os.close(reading)

    def test_descriptors_find_their_messages_among_others(self):
        left, right = self.pair()
        pipes = [os.pipe() for _ in range(6)]
        for number in range(40):
            fds = [end for pair in pipes[: number % 4] for end in pair]
            left.send(number, fds)
        for number in range(40):
            message = right.receive()
            self.assertEqual((message.value, len(message.fds)), (number, 2 * (number % 4)))
            for fd, own in zip(message.fds, [end for pair in pipes for end in pair]):
                self.assertEqual(os.fstat(fd).st_ino, os.fstat(own).st_ino)
                self.assertFalse(os.get_inheritable(fd))
                os.close(fd)
        for end in [end for pair in pipes for end in pair]:
            os.close(end)

    def test_a_side_that_takes_no_descriptors_loses_the_message_alone(self):
        left, right = self.pair(takes_handles=False)
        left.send("before", [0])
        left.send("after")
        with self.assertRaises(MessageLost) as caught:
            right.receive()
        self.assertEqual(caught.exception.name, "handlesNotTaken")
        self.assertEqual(right.receive().value, "after")
        # The hello that says so has been read now.
        with self.assertRaises(ValueError):
            right.send("never", [0])

    def test_a_message_whose_descriptors_find_no_room_is_lost_alone(self):
        left, right = self.pair()
        left.send("hands full", [0, 1, 2])
        left.send("after")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open(os.devnull) as highest:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno() + 1, limits[1]))
            try:
                with self.assertRaises(MessageLost) as caught:
                    right.receive()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(caught.exception.name, "handlesLost")
        self.assertEqual(right.receive().value, "after")

    def test_descriptors_that_do_not_match_end_the_channel(self):
        for announced, sent in ((0, 1), (2, 1), (1, 2), (1, 0)):
            channel, other = self.raw()
            before = len(os.listdir("/proc/self/fd"))
            data = encoded(MESSAGE, b"1", announced)
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * sent))] if sent else []
            other.sendmsg([data], rights)
            with self.subTest(announced=announced, sent=sent), self.assertRaises(ProtocolError) as caught:
                channel.receive()
            self.assertEqual(caught.exception.name, "handlesDoNotMatch")
            # All that came has been closed, and the channel's own socket too.
            self.assertEqual(len(os.listdir("/proc/self/fd")), before - 1)

    def test_a_bad_message_is_lost_alone(self):
        channel, other = self.raw()
        for text in (b"[1,]", b"1"):
            other.sendall(encoded(MESSAGE, text))
        with self.assertRaises(MessageLost) as caught:
            channel.receive()
        self.assertEqual(caught.exception.name, "syntax")
        self.assertEqual(channel.receive().value, 1)

    def test_a_mistake_is_answered_with_an_abort(self):
        channel, other = self.raw()
        other.sendall(bytes.fromhex("00000004 77 00 0000"))
        with self.assertRaises(ProtocolError) as caught:
            channel.receive()
        self.assertEqual(caught.exception.name, "unknownKind")
        length, kind, flags, _ = swift_fork.HEADER.unpack(other.recv(8))
        self.assertEqual((kind, flags), (swift_fork.ABORT, 0))
        self.assertEqual(json.loads(other.recv(length - 4))["code"], "protocolViolation")
        self.assertEqual(other.recv(1), b"")
        self.assertIsNone(channel.receive())

    def test_an_abort_is_reported_with_its_reason(self):
        channel, other = self.raw()
        other.sendall(encoded(swift_fork.ABORT, b'{"code":"x","message":"why"}'))
        with self.assertRaisesRegex(swift_fork.Aborted, "why"):
            channel.receive()
        with self.assertRaises(swift_fork.Disconnected):
            channel.send(1)

    def test_what_was_sent_before_the_end_arrives_on_both_sides(self):
        left, right = self.pair()
        left.send(1)
        right.send(2)
        left.disconnect()
        right.send(3)
        self.assertEqual([message.value for message in right], [1])
        self.assertEqual([message.value for message in left], [2, 3])
        for channel in (left, right):
            with self.assertRaises(swift_fork.Disconnected):
                channel.send(4)

    def test_a_side_that_closes_without_reading_is_an_end(self):
        channel, other = self.raw()
        channel.send("never read")
        other.sendall(encoded(MESSAGE, b"1"))
        other.close()
        self.assertEqual(channel.receive().value, 1)
        self.assertIsNone(channel.receive())

    def test_a_message_over_the_limit_of_the_other_side_is_not_sent(self):
        channel, other = self.raw()
        other.sendall(encoded(MESSAGE, b"1"))
        self.assertEqual(channel.receive().value, 1)
        channel.send_bytes(bytes(2000))
        with self.assertRaises(ValueError):
            channel.send_bytes(bytes(2001))


class Processes(unittest.TestCase):
    def fork(self, **options):
        # The child imports swift_fork from where this file is.
        child = swift_fork.fork(sys.executable, [str(HERE / "peer.py")], **options)
        self.addCleanup(child.__exit__, None, None, None)
        return child

    def test_a_child_echoes_adopts_the_limit_and_ends_with_its_parent(self):
        child = self.fork(limit=4096)
        child.channel.send(["one", 2])
        self.assertEqual(child.channel.receive().value, ["one", 2])
        self.assertEqual(child.channel.peer.limit, 4096)
        reading, writing = os.pipe()
        child.channel.send("take this", [writing])
        echo = child.channel.receive()
        self.assertEqual(os.fstat(echo.fds[0]).st_ino, os.fstat(writing).st_ino)
        for fd in (reading, writing, *echo.fds):
            os.close(fd)
        child.channel.disconnect()
        self.assertIsNone(child.channel.receive())
        self.assertEqual(child.process.wait(SECONDS), 0)

    def test_the_variable_is_gone_as_soon_as_it_was_read(self):
        child = self.fork()
        child.channel.send({"$ask": "environment"})
        self.assertEqual(child.channel.receive().value, {"environment": None})

    def test_a_program_that_nobody_forked_has_no_channel(self):
        for value in (None, "", "x", "-1", "99", "0"):
            env = {key: text for key, text in os.environ.items() if key != swift_fork.VARIABLE}
            env.update({} if value is None else {swift_fork.VARIABLE: value})
            script = "import os, swift_fork as s; print(s.connect(), s.VARIABLE in os.environ, os.fstat(0) and 1)"
            result = subprocess.run(
                [sys.executable, "-c", script], env=env, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True,
                text=True, timeout=SECONDS)
            self.assertEqual(result.stdout, "None False 1\n")


if __name__ == "__main__":
    unittest.main()
