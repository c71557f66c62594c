"""What both dialects need: a program with a channel, whose every wait has a deadline, and the list of clauses."""

import array
import os
import select
import socket
import subprocess
import time
from collections import deque

MOST_DESCRIPTORS = 253
SENT_AT_ONCE = 1 << 18
CHANNEL = 3
# So many failures in the beginning, and nothing else, and the rest would only take time.
HOPELESS = 4


class Failure(Exception):
    """The program under test did not do what the clause says."""


class NotApplicable(Exception):
    """The clause is about something that the program does not take part in."""


class Clauses:
    """The clauses of a dialect in their order, with the section of the specification that each is from."""

    def __init__(self):
        self.all = []

    def __call__(self, section, title):
        def register(function):
            self.all.append((section, title, function))
            return function

        return register


def reserve_channel_number():
    """Makes the number that children get their channel by this process's to give away."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, CHANNEL)
    if nothing != CHANNEL:
        os.close(nothing)


class Program:
    """A program under test and this side's end of its channel."""

    # Where its standard error goes; None: where this tool's goes.
    errors = None

    def __init__(self, command, variables, before=b"", number=CHANNEL, seconds=20):
        self.seconds = seconds
        self.number = number
        self.socket, other = socket.socketpair()
        self.socket.setblocking(False)
        self.outgoing = deque()
        self.is_finishing = False
        self.received = 0
        self.arrived = []
        self.has_ended = False
        self.was_reset = False
        if before:
            self.socket.send(before)
        environment = {**os.environ, **variables(number)}
        with other:
            os.dup2(other.fileno(), number)
            self.process = subprocess.Popen(
                command, env=environment, pass_fds=[number], stdin=subprocess.DEVNULL, stderr=self.errors)
        # Nothing of the child's end may stay open here, or its end would not be seen.
        if number == CHANNEL:
            reserve_channel_number()
        else:
            os.close(number)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()
        for _, _, fds in self.arrived:
            close_all(fds)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    # Overridden by the dialects

    def take(self, data):
        raise NotImplementedError

    # Sending and receiving

    def send(self, data, fds=()):
        """Queues bytes for one `sendmsg`; the descriptors go with the first of them."""
        self.outgoing.append((memoryview(data), list(fds)))
        self.exchange(0)

    def finish(self):
        """Ends this direction after all that is queued."""
        self.is_finishing = True
        self.exchange(0)

    def wait(self, condition, what):
        deadline = time.monotonic() + self.seconds
        while not condition():
            if self.has_ended:
                raise Failure(f"the stream ended before {what}")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failure(f"{what} has not come within {self.seconds} s")
            self.exchange(left)

    def wait_for_end(self):
        self.wait(lambda: self.has_ended, "the end of the stream")

    def wait_until_sent(self):
        """The stream from the program may have ended already."""
        deadline = time.monotonic() + self.seconds
        while self.outgoing or self.is_finishing:
            require(time.monotonic() < deadline, f"the program has not read everything within {self.seconds} s")
            self.exchange(0.1)

    def wait_for_input(self):
        """Until there is something to read, which is left where it is."""
        readable, _, _ = select.select([self.socket], [], [], self.seconds)
        require(readable, f"nothing has come within {self.seconds} s")

    def exit_code(self):
        try:
            return self.process.wait(self.seconds)
        except subprocess.TimeoutExpired:
            raise Failure(f"the program has not ended within {self.seconds} s of its channel") from None

    def require_exit(self, code=0):
        status = self.exit_code()
        require(status == code, f"the exit code is {status}, not {code}")

    def stay_quiet(self, seconds=0.3):
        """Gives the program time to do something that it should not."""
        deadline = time.monotonic() + seconds
        while not self.has_ended and time.monotonic() < deadline:
            self.exchange(max(0, deadline - time.monotonic()))

    def exchange(self, seconds):
        """Sends and receives what is possible now, after waiting for it where nothing is."""
        events = select.POLLIN | (select.POLLOUT if self.outgoing else 0)
        poll = select.poll()
        poll.register(self.socket, events if not self.has_ended else events & ~select.POLLIN)
        ready = poll.poll(seconds * 1000)
        for _, event in ready:
            if event & (select.POLLIN | select.POLLHUP | select.POLLERR) and not self.has_ended:
                self.receive()
            if event & select.POLLOUT:
                self.write()
        if self.is_finishing and not self.outgoing:
            self.is_finishing = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def write(self):
        while self.outgoing:
            data, fds = self.outgoing.popleft()
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
            try:
                count = self.socket.sendmsg([data[:SENT_AT_ONCE]], rights, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self.outgoing.appendleft((data, fds))
                return
            except (BrokenPipeError, ConnectionResetError):
                # What has come is still read, and says why.
                self.outgoing.clear()
                return
            if count < len(data):
                self.outgoing.appendleft((data[count:], []))

    def receive(self):
        fds = array.array("i")
        room = socket.CMSG_SPACE(MOST_DESCRIPTORS * fds.itemsize)
        try:
            data, control, flags, _ = self.socket.recvmsg(1 << 18, room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except ConnectionResetError:
            # It closed with something unread. This comes after its last byte.
            self.has_ended = self.was_reset = True
            return
        for level, kind, content in control:
            require((level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS), "a control message is not SCM_RIGHTS")
            fds.frombytes(content[: len(content) // fds.itemsize * fds.itemsize])
        require(not flags & socket.MSG_CTRUNC, "more descriptors came than this tool has room for")
        if fds:
            self.arrived.append((self.received, self.received + len(data), list(fds)))
        self.received += len(data)
        self.has_ended = not data
        self.take(data)

    # Looking at the program from outside

    def descriptors(self):
        return sorted(int(name) for name in os.listdir(f"/proc/{self.process.pid}/fd"))

    def is_close_on_exec(self, number):
        for line in open(f"/proc/{self.process.pid}/fdinfo/{number}"):
            if line.startswith("flags:"):
                return bool(int(line.split()[1], 8) & os.O_CLOEXEC)


def close_all(fds):
    for fd in fds:
        os.close(fd)


def require(condition, explanation):
    if not condition:
        raise Failure(explanation)


def run(clauses, context, is_short):
    """Runs all clauses and prints what holds. Whether all that apply do."""
    counts = {"ok": 0, "FAILED": 0, "not applicable": 0}
    for section, title, function in clauses.all:
        if counts["FAILED"] == HOPELESS and counts["ok"] == 0:
            print("The rest is left out: the program does not play its role at all.", flush=True)
            break
        try:
            result, seen = "ok", function(context)
        except NotApplicable as reason:
            result, seen = "not applicable", reason
        except Failure as failure:
            result, seen = "FAILED", failure
        except OSError as error:
            result, seen = "FAILED", f"{type(error).__name__}: {error}"
        counts[result] += 1
        if result == "FAILED" or not is_short:
            print(f"{result:<15} {section:<3} {title}" + (f": {seen}" if seen else ""), flush=True)
    print(f"{counts['ok']} ok, {counts['FAILED']} failed, {counts['not applicable']} not applicable", flush=True)
    return counts["FAILED"] == 0
