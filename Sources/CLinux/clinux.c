#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct variable {
    bool is_set;
    char value[32];
};

static struct variable channel, message_limit, node_channel, node_mode;

static void take(const char *name, struct variable *variable) {
    const char *value = getenv(name);
    if (value == NULL) {
        return;
    }
    variable->is_set = true;
    snprintf(variable->value, sizeof variable->value, "%s", value);
    unsetenv(name);
}

// What the program prints must not get into its channel, nor its channel be read as its standard input.
static int above_standard_streams(int descriptor) {
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    if (moved == -1) {
        return descriptor;
    }
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null == -1) {
        close(descriptor);
        return moved;
    }
    dup2(null, descriptor);
    if (null != descriptor) {
        close(null);
    }
    return moved;
}

static void keep_from_others(struct variable *variable) {
    char *end = NULL;
    long descriptor = strtol(variable->value, &end, 10);
    if (end == variable->value || *end != '\0' || descriptor < 0 || descriptor >= 1 << 20) {
        return;
    }
    if (descriptor <= 2 && clinux_is_unix_stream((int)descriptor)) {
        snprintf(variable->value, sizeof variable->value, "%d", above_standard_streams((int)descriptor));
    } else if (descriptor > 2) {
        fcntl((int)descriptor, F_SETFD, FD_CLOEXEC);
    }
}

// Runs before main: later, another thread might be reading the environment, and a child started by this program could
// already have inherited both the variables and the descriptors.
__attribute__((constructor)) static void take_channel(void) {
    take(CLINUX_CHANNEL_VARIABLE, &channel);
    take(CLINUX_LIMIT_VARIABLE, &message_limit);
    take(CLINUX_NODE_CHANNEL_VARIABLE, &node_channel);
    take(CLINUX_NODE_MODE_VARIABLE, &node_mode);
    keep_from_others(&channel);
    keep_from_others(&node_channel);
}

static const char *value(const struct variable *variable) {
    return variable->is_set ? variable->value : NULL;
}

const char *clinux_channel_descriptor(void) { return value(&channel); }
const char *clinux_message_limit(void) { return value(&message_limit); }
const char *clinux_node_channel_descriptor(void) { return value(&node_channel); }
const char *clinux_node_mode(void) { return value(&node_mode); }

int clinux_socketpair(int descriptors[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors);
}

// Room for one control message with as many descriptors as there may be, aligned as its header has to be.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * CLINUX_MAXIMUM_HANDLES)];
};

ssize_t clinux_send(int descriptor, const struct iovec *parts, int count, const int *handles, int handle_count) {
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    union control control;
    if (handle_count > 0) {
        size_t size = sizeof(int) * (size_t)handle_count;
        memset(&control, 0, CMSG_SPACE(size));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), handles, size);
    }
    return sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t clinux_receive(
    int descriptor, const struct iovec *parts, int count_of_parts, int *handles, struct clinux_arrival *arrival) {
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count_of_parts};
    union control control;
    if (handles != NULL) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    ssize_t count = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count == -1) {
        return -1;
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        arrival->truncated = true;
    }
    if (handles == NULL) {
        return count;
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            size_t size = header->cmsg_len - CMSG_LEN(0);
            memcpy(handles, CMSG_DATA(header), size);
            arrival->handle_count = (int)(size / sizeof(int));
        }
    }
    return count;
}

int clinux_pipe(int descriptors[2]) {
    return pipe2(descriptors, O_CLOEXEC);
}

ssize_t clinux_write(int descriptor, const void *bytes, size_t count) {
    sigset_t only, before, pending;
    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &only, &before);
    // One that somebody else has raised and blocked is theirs.
    sigpending(&pending);
    ssize_t written = write(descriptor, bytes, count);
    int saved = errno;
    if (written == -1 && saved == EPIPE && !sigismember(&pending, SIGPIPE)) {
        struct timespec now = {0};
        while (sigtimedwait(&only, NULL, &now) == -1 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return written;
}

bool clinux_is_unix_stream(int descriptor) {
    int domain = 0, type = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) {
        return false;
    }
    size = sizeof type;
    return getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX && type == SOCK_STREAM;
}

char **clinux_environment(void) {
    return environ;
}

int clinux_core_count(void) {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

int clinux_open_directory(const char *path) {
    int directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory == -1) {
        return -1;
    }
    // That alone asks for no right to the directory itself; to enter it later would fail as if the program were at fault.
    int searched = openat(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int saved = errno;
    close(directory);
    errno = saved;
    return searched;
}

void clinux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int clinux_reap(int pidfd, bool peek, struct clinux_exit *result) {
    siginfo_t info = {0};
    struct rusage usage = {0};
    // The system call itself: the C library's waitid tells nothing of the usage. P_PIDFD is 3; glibc names it since 2.36.
    if (syscall(SYS_waitid, 3, pidfd, &info, WEXITED | WNOHANG | (peek ? WNOWAIT : 0), &usage) != 0) {
        return -1;
    }
    result->user_microseconds = usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
    result->system_microseconds = usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
    result->peak_memory = usage.ru_maxrss * 1024;
    result->ended = info.si_pid != 0;
    result->signaled = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    result->dumped_core = info.si_code == CLD_DUMPED;
    result->value = info.si_status;
    return 0;
}
