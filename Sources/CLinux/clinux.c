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

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLINUX_THREAD_SANITIZER
#endif
#endif

#ifdef CLINUX_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);

void *clinux_tsan_token(void) { return malloc(1); }
void clinux_tsan_free(void *token) { free(token); }
void clinux_tsan_acquire(void *token) { __tsan_acquire(token); }
void clinux_tsan_release(void *token) { __tsan_release(token); }
#else
void *clinux_tsan_token(void) { return NULL; }
void clinux_tsan_free(void *token) { (void)token; }
void clinux_tsan_acquire(void *token) { (void)token; }
void clinux_tsan_release(void *token) { (void)token; }
#endif

static char channel_descriptor[32];

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

// Runs before main: later, another thread might be reading the environment, and a child started by this program could
// already have inherited both the variable and the descriptor.
__attribute__((constructor)) static void take_channel_descriptor(void) {
    const char *value = getenv(CLINUX_CHANNEL_VARIABLE);
    if (value == NULL) {
        return;
    }
    snprintf(channel_descriptor, sizeof channel_descriptor, "%s", value);
    unsetenv(CLINUX_CHANNEL_VARIABLE);
    char *end = NULL;
    long descriptor = strtol(channel_descriptor, &end, 10);
    if (end == channel_descriptor || *end != '\0' || descriptor < 0 || descriptor >= 1 << 20) {
        return;
    }
    if (descriptor <= 2 && clinux_is_unix_stream((int)descriptor)) {
        snprintf(channel_descriptor, sizeof channel_descriptor, "%d", above_standard_streams((int)descriptor));
    } else if (descriptor > 2) {
        fcntl((int)descriptor, F_SETFD, FD_CLOEXEC);
    }
}

const char *clinux_channel_descriptor(void) {
    return channel_descriptor[0] == '\0' ? NULL : channel_descriptor;
}

int clinux_socketpair(int descriptors[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, descriptors);
}

ssize_t clinux_send(int descriptor, const struct iovec *parts, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};
    return sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t clinux_receive(int descriptor, void *buffer, size_t capacity, bool *dropped_descriptors) {
    struct iovec part = {.iov_base = buffer, .iov_len = capacity};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t count = recvmsg(descriptor, &message, MSG_DONTWAIT);
    if (count != -1 && (message.msg_flags & MSG_CTRUNC) != 0) {
        *dropped_descriptors = true;
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
