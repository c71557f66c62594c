// The floor: the same bytes over the same kind of socket, with blocking calls and nothing else. Frames have a header of
// eight bytes like ours; bodies are compared with what is expected, not parsed.
//
//     bench round-trip|to-parent|to-child|handles <count> <ignored> [gathered]
//
// A sender writes each message with a call of its own, or, `gathered`, as many as fit into 64 KiB with one.

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { header_size = 8, counted_size = 4, buffer_size = 64 * 1024, message_kind = 0x10, warm_up_share = 10 };

static const char ping[] = "\"ping\"", pong[] = "\"pong\"";
static const char item[] = "{\"id\":123456,\"name\":\"item\",\"ok\":true}";

struct channel {
    int descriptor;
    bool gathers;
    size_t begin, end, queued;
    uint8_t in[buffer_size], out[buffer_size];
};

static void flush(struct channel *channel) {
    for (size_t written = 0; written < channel->queued;) {
        ssize_t count = write(channel->descriptor, channel->out + written, channel->queued - written);
        if (count <= 0) {
            fail("write");
        }
        written += (size_t)count;
    }
    channel->queued = 0;
}

static void send_message(struct channel *channel, const char *body, size_t size) {
    if (channel->queued + header_size + size > buffer_size) {
        flush(channel);
    }
    uint8_t *frame = channel->out + channel->queued;
    uint32_t length = (uint32_t)size + counted_size;
    for (int index = 0; index < 4; index++) {
        frame[index] = (uint8_t)(length >> (24 - 8 * index));
    }
    frame[4] = message_kind;
    frame[5] = frame[6] = frame[7] = 0;
    memcpy(frame + header_size, body, size);
    channel->queued += header_size + size;
    if (!channel->gathers) {
        flush(channel);
    }
}

// Reads until so many bytes are in the buffer; false at the end of the stream.
static bool fill(struct channel *channel, size_t wanted) {
    if (channel->end - channel->begin >= wanted) {
        return true;
    }
    memmove(channel->in, channel->in + channel->begin, channel->end - channel->begin);
    channel->end -= channel->begin;
    channel->begin = 0;
    while (channel->end < wanted) {
        ssize_t count = read(channel->descriptor, channel->in + channel->end, buffer_size - channel->end);
        if (count < 0) {
            fail("read");
        }
        if (count == 0) {
            return false;
        }
        channel->end += (size_t)count;
    }
    return true;
}

static bool receive_message(struct channel *channel, const char *body, size_t size) {
    if (!fill(channel, header_size)) {
        return false;
    }
    const uint8_t *header = channel->in + channel->begin;
    uint32_t length = 0;
    for (int index = 0; index < 4; index++) {
        length = length << 8 | header[index];
    }
    if (length < counted_size || length > buffer_size - header_size || header[4] != message_kind) {
        fail("a broken frame");
    }
    size_t whole = header_size + length - counted_size;
    if (!fill(channel, whole)) {
        fail("the stream ends in a message");
    }
    if (whole - header_size != size || memcmp(channel->in + channel->begin + header_size, body, size) != 0) {
        fail("an unexpected message");
    }
    channel->begin += whole;
    return true;
}

#define SEND(channel, text) send_message(channel, text, sizeof text - 1)
#define RECEIVE(channel, text) receive_message(channel, text, sizeof text - 1)

static void send_items(struct channel *channel, long count) {
    for (long index = 0; index < count; index++) {
        SEND(channel, item);
    }
    flush(channel);
}

static void receive_items(struct channel *channel, long count) {
    for (long index = 0; index < count; index++) {
        if (!RECEIVE(channel, item)) {
            fail("the stream ends early");
        }
    }
}

// A control message with one descriptor, aligned as its header has to be.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

// Sends an item with a descriptor each time.
static void send_handles(struct channel *channel, long count) {
    uint8_t frame[header_size + sizeof item - 1] = {0, 0, 0, sizeof item - 1 + counted_size, message_kind, 0, 0, 1};
    memcpy(frame + header_size, item, sizeof item - 1);
    struct iovec part = {.iov_base = frame, .iov_len = sizeof frame};
    union control control = {{0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    for (long index = 0; index < count; index++) {
        // As ours: a duplicate for each message, which is closed when it has been sent.
        int handle = dup(STDERR_FILENO);
        memcpy(CMSG_DATA(header), &handle, sizeof handle);
        if (sendmsg(channel->descriptor, &message, 0) != sizeof frame) {
            fail("sendmsg");
        }
        close(handle);
    }
}

static void receive_handles(struct channel *channel, long count) {
    for (long index = 0; index < count; index++) {
        struct iovec part = {.iov_base = channel->in, .iov_len = header_size + sizeof item - 1};
        union control control;
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t read = recvmsg(channel->descriptor, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (read != (ssize_t)part.iov_len || header == NULL || memcmp(channel->in + header_size, item, sizeof item - 1)) {
            fail("an unexpected message");
        }
        int handle = -1;
        memcpy(&handle, CMSG_DATA(header), sizeof handle);
        close(handle);
    }
}

static void run_child(struct channel *channel, const char *workload, const long counts[2]) {
    if (strcmp(workload, "round-trip") == 0) {
        while (RECEIVE(channel, ping)) {
            SEND(channel, pong);
            flush(channel);
        }
        return;
    }
    for (int run = 0; run < 2; run++) {
        if (strcmp(workload, "to-parent") == 0) {
            if (!RECEIVE(channel, ping)) {
                return;
            }
            send_items(channel, counts[run]);
        } else {
            if (strcmp(workload, "handles") == 0) {
                receive_handles(channel, counts[run]);
            } else {
                receive_items(channel, counts[run]);
            }
            SEND(channel, pong);
            flush(channel);
        }
    }
}

static void round_trips(struct channel *channel, long warm_up, long count) {
    int64_t *times = malloc((size_t)(count + 1) * sizeof *times);
    if (times == NULL) {
        fail("malloc");
    }
    for (long index = -warm_up; index <= count; index++) {
        SEND(channel, ping);
        flush(channel);
        if (!RECEIVE(channel, pong)) {
            fail("the child has ended");
        }
        if (index >= 0) {
            times[index] = now();
        }
    }
    double seconds = (double)(times[count] - times[0]) / 1e9;
    for (long index = 0; index < count; index++) {
        times[index] = times[index + 1] - times[index];
    }
    printf("{\"rate\":%f,\"p50\":%f,\"p99\":%f}\n", (double)count / seconds, percentile(times, count, 50),
           percentile(times, count, 99));
    free(times);
}

static void one_way(struct channel *channel, const char *workload, const long counts[2]) {
    int64_t start = 0, end = 0;
    for (int run = 0; run < 2; run++) {
        start = now();
        if (strcmp(workload, "to-parent") == 0) {
            SEND(channel, ping);
            flush(channel);
            receive_items(channel, counts[run]);
        } else {
            if (strcmp(workload, "handles") == 0) {
                send_handles(channel, counts[run]);
            } else {
                send_items(channel, counts[run]);
            }
            if (!RECEIVE(channel, pong)) {
                fail("the child has ended");
            }
        }
        end = now();
    }
    printf("{\"rate\":%f}\n", (double)counts[1] / (double)(end - start) * 1e9);
}

int main(int argument_count, char **arguments) {
    long count = argument_count > 2 ? atol(arguments[2]) : 0;
    if (count <= 0) {
        fprintf(stderr, "usage: bench round-trip|to-parent|to-child|handles <count> <ignored> [gathered]\n");
        return 2;
    }
    const char *workload = arguments[1];
    long counts[2] = {count / warm_up_share, count};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        fail("socketpair");
    }
    static struct channel channel;
    channel.gathers = argument_count > 4 && strcmp(arguments[4], "gathered") == 0;
    pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    channel.descriptor = pair[pid == 0];
    close(pair[pid != 0]);
    if (pid == 0) {
        run_child(&channel, workload, counts);
        return 0;
    }
    if (strcmp(workload, "round-trip") == 0) {
        round_trips(&channel, counts[0], count);
    } else {
        one_way(&channel, workload, counts);
    }
    close(channel.descriptor);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        fail("the child has failed");
    }
    return 0;
}
