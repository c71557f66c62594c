// The floor of what bench.c does not have: large messages, and many children.
//
//     floor records|string|bytes <count> <size>
//     floor start|idle|alive|many-to-parent <count> <children>
//
// Large messages are one constant that is sent as it is, header and body with one call, and compared by its length, the
// first time whole. Records are a text that nobody reads. Children are started with posix_spawn, and run this program.

#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

enum { warm_up_share = 10, channel_number = 3, buffer_size = 64 * 1024, most_children = 4096 };

static const char record[] = "{\"id\":100001,\"name\":\"sensor 17\",\"active\":true,\"score\":98.25,\"tags\":[\"north\",\"roof\"],"
                             "\"place\":{\"x\":12,\"y\":-7},\"note\":\"last seen today\"},";
static const char item[] = "{\"id\":123456,\"name\":\"item\",\"ok\":true}";

struct child {
    pid_t pid;
    int channel;
};

static struct child children[most_children];
extern char **environ;

static void write_all(int channel, struct iovec *parts, int count) {
    while (count > 0) {
        ssize_t written = writev(channel, parts, count);
        if (written <= 0) {
            fail("writev");
        }
        for (; count > 0 && (size_t)written >= parts->iov_len; parts++, count--) {
            written -= (ssize_t)parts->iov_len;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
}

static void write_bytes(int channel, const void *bytes, size_t size) {
    write_all(channel, &(struct iovec){.iov_base = (void *)bytes, .iov_len = size}, 1);
}

// False where the stream is at its end.
static bool read_all(int channel, void *bytes, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t count = read(channel, (char *)bytes + done, size - done);
        if (count < 0 || (count == 0 && done > 0)) {
            fail("read");
        }
        if (count == 0) {
            return false;
        }
        done += (size_t)count;
    }
    return true;
}

static void start_child(struct child *child, const char *workload, const char *count, const char *size) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        fail("socketpair");
    }
    // dup2 of a number onto itself makes posix_spawn clear its close-on-exec flag.
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], channel_number);
    char *arguments[] = {"floor", "child", (char *)workload, (char *)count, (char *)size, NULL};
    errno = posix_spawn(&child->pid, "/proc/self/exe", &actions, NULL, arguments, environ);
    if (errno != 0) {
        fail("posix_spawn");
    }
    posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
    child->channel = pair[0];
}

static void end_child(struct child *child) {
    int status = 0;
    close(child->channel);
    if (waitpid(child->pid, &status, 0) != child->pid || status != 0) {
        fail("a child has failed");
    }
}

static void ping(struct child *child) {
    write_bytes(child->channel, "ping", 4);
}

static void await_pong(struct child *child) {
    char answer[4];
    if (!read_all(child->channel, answer, 4) || memcmp(answer, "pong", 4) != 0) {
        fail("an unexpected answer");
    }
}

// Large messages

static char *message_of(const char *workload, size_t *size) {
    if (strcmp(workload, "records") == 0) {
        size_t count = *size;
        *size = count * (sizeof record - 1) + 1;
        char *text = malloc(*size);
        text[0] = '[';
        for (size_t index = 0; index < count; index++) {
            memcpy(text + 1 + index * (sizeof record - 1), record, sizeof record - 1);
        }
        text[*size - 1] = ']';
        return text;
    }
    char *bytes = malloc(*size);
    for (size_t index = 0; index < *size; index++) {
        bytes[index] = (char)(index % 251);
    }
    return bytes;
}

static void send_messages(int channel, const char *message, size_t size, long count) {
    for (long index = 0; index < count; index++) {
        uint64_t header = size;
        struct iovec parts[] = {{&header, sizeof header}, {(char *)message, size}};
        write_all(channel, parts, 2);
    }
}

static void receive_messages(int channel, const char *message, size_t size, long count, bool is_compared) {
    // As much again as the header: what is small takes one call.
    char *buffer = malloc(buffer_size + size + 8);
    size_t end = 0;
    for (long index = 0; index < count; index++) {
        while (end < size + 8) {
            ssize_t got = read(channel, buffer + end, size + 8 > buffer_size ? size + 8 - end : buffer_size);
            if (got <= 0) {
                fail("read");
            }
            end += (size_t)got;
        }
        uint64_t length;
        memcpy(&length, buffer, sizeof length);
        if (length != size || (is_compared && index == 0 && memcmp(buffer + 8, message, size) != 0)) {
            fail("an unexpected message");
        }
        end -= size + 8;
        memmove(buffer, buffer + size + 8, end);
    }
    free(buffer);
}

static void payloads(const char *workload, const long counts[2], const char *count, const char *size_text) {
    size_t size = (size_t)atol(size_text);
    char *message = message_of(workload, &size);
    start_child(children, workload, count, size_text);
    int64_t start = 0;
    for (int run = 0; run < 2; run++) {
        start = now();
        send_messages(children->channel, message, size, counts[run]);
        await_pong(children);
    }
    printf("{\"rate\":%f}\n", (double)counts[1] / (double)(now() - start) * 1e9);
    end_child(children);
}

// Many children

static void starts(long count) {
    int64_t *times = malloc((size_t)count * sizeof *times);
    for (long index = -2; index < count; index++) {
        int64_t start = now();
        start_child(children, "pong", "0", "0");
        ping(children);
        await_pong(children);
        if (index >= 0) {
            times[index] = now() - start;
        }
        end_child(children);
    }
    printf("{\"p50\":%f}\n", percentile(times, count, 50));
}

static void idle(long size) {
    long started = 0;
    for (int step = 0; step < 2; step++) {
        for (; started < (step == 0 ? 2 : 2 + size); started++) {
            start_child(&children[started], "pong", "0", "0");
            ping(&children[started]);
            await_pong(&children[started]);
        }
        for (long index = 0; index < started; index++) {
            printf("%c%d", index == 0 ? '[' : ',', (int)children[index].pid);
        }
        printf("]\n");
        fflush(stdout);
        getchar();
    }
    for (long index = 0; index < started; index++) {
        end_child(&children[index]);
    }
    printf("{}\n");
}

static void sweeps(long count, long size) {
    int64_t *times = malloc((size_t)count * sizeof *times);
    for (long index = 0; index < size; index++) {
        start_child(&children[index], "pong", "0", "0");
    }
    // The first one waits for the children to start.
    for (long sweep = -1; sweep < count; sweep++) {
        int64_t start = now();
        for (long index = 0; index < size; index++) {
            ping(&children[index]);
        }
        for (long index = 0; index < size; index++) {
            await_pong(&children[index]);
        }
        if (sweep >= 0) {
            times[sweep] = now() - start;
        }
    }
    printf("{\"p50\":%f}\n", percentile(times, count, 50));
    for (long index = 0; index < size; index++) {
        end_child(&children[index]);
    }
}

static void many_to_parent(const long counts[2], const char *count_text, long size) {
    static char buffer[buffer_size];
    struct pollfd polled[most_children];
    for (long index = 0; index < size; index++) {
        start_child(&children[index], "items", count_text, "0");
    }
    int64_t start = 0;
    double share = 0;
    for (int run = 0; run < 2; run++) {
        long wanted = counts[run] * (long)(sizeof item - 1), arrived[most_children] = {0}, finished = 0;
        start = now();
        for (long index = 0; index < size; index++) {
            polled[index] = (struct pollfd){.fd = children[index].channel, .events = POLLIN};
            ping(&children[index]);
        }
        while (finished < size) {
            if (poll(polled, (nfds_t)size, -1) < 0) {
                fail("poll");
            }
            for (long index = 0; index < size; index++) {
                if ((polled[index].revents & POLLIN) == 0) {
                    continue;
                }
                ssize_t got = read(polled[index].fd, buffer, sizeof buffer);
                // Where in an item this begins follows from what came before.
                for (ssize_t at = -(arrived[index] % (long)(sizeof item - 1)); at < got; at += sizeof item - 1) {
                    if (at >= 0 && at + (ssize_t)sizeof item - 1 <= got && memcmp(buffer + at, item, sizeof item - 1) != 0) {
                        fail("an unexpected item");
                    }
                }
                if (got <= 0 || (arrived[index] += got) > wanted) {
                    fail("read");
                }
                if (arrived[index] < wanted) {
                    continue;
                }
                // Its end of the stream is not for here.
                polled[index].fd = -1;
                if (++finished == 1) {
                    long slowest = wanted, all = 0;
                    for (long other = 0; other < size; other++) {
                        slowest = arrived[other] < slowest ? arrived[other] : slowest;
                        all += arrived[other];
                    }
                    share = 100.0 * (double)slowest * (double)size / (double)all;
                }
            }
        }
    }
    printf("{\"rate\":%f,\"share\":%f}\n", (double)(counts[1] * size) / (double)(now() - start) * 1e9, share);
    for (long index = 0; index < size; index++) {
        end_child(&children[index]);
    }
}

static void run_child(const char *workload, const long counts[2], size_t size) {
    char request[4];
    if (strcmp(workload, "pong") == 0) {
        while (read_all(channel_number, request, 4)) {
            write_bytes(channel_number, "pong", 4);
        }
    } else if (strcmp(workload, "items") == 0) {
        for (int run = 0; run < 2 && read_all(channel_number, request, 4); run++) {
            for (long index = 0; index < counts[run]; index++) {
                write_bytes(channel_number, item, sizeof item - 1);
            }
        }
    } else {
        char *message = message_of(workload, &size);
        for (int run = 0; run < 2; run++) {
            receive_messages(channel_number, message, size, counts[run], run == 0);
            write_bytes(channel_number, "pong", 4);
        }
    }
}

int main(int argument_count, char **arguments) {
    bool is_child = argument_count > 1 && strcmp(arguments[1], "child") == 0;
    if (argument_count != 4 + is_child) {
        fprintf(stderr, "usage: floor <workload> <count> <size>\n");
        return 2;
    }
    arguments += is_child;
    const char *workload = arguments[1];
    long count = atol(arguments[2]), size = atol(arguments[3]);
    long counts[2] = {count / warm_up_share > 0 ? count / warm_up_share : 1, count};
    bool is_payload = strcmp(workload, "records") == 0 || strcmp(workload, "string") == 0 || strcmp(workload, "bytes") == 0;
    if (!is_payload && size > most_children - 2) {
        fail("too many children");
    }
    if (is_child) {
        run_child(workload, counts, (size_t)size);
    } else if (strcmp(workload, "start") == 0) {
        starts(count);
    } else if (strcmp(workload, "idle") == 0) {
        idle(size);
    } else if (strcmp(workload, "alive") == 0) {
        sweeps(count, size);
    } else if (strcmp(workload, "many-to-parent") == 0) {
        many_to_parent(counts, arguments[2], size);
    } else {
        payloads(workload, counts, arguments[2], arguments[3]);
    }
    return 0;
}
