#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
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
    if (end != channel_descriptor && *end == '\0' && descriptor > 2 && descriptor < 1 << 20) {
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

int clinux_pidfd_open(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int clinux_reap(int pidfd, struct clinux_exit *result) {
    siginfo_t info = {0};
    // P_PIDFD is 3; glibc names it only since 2.36.
    if (waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED | WNOHANG) != 0) {
        return -1;
    }
    result->ended = info.si_pid != 0;
    result->signaled = info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED;
    result->dumped_core = info.si_code == CLD_DUMPED;
    result->value = info.si_status;
    return 0;
}

static int fill_actions(posix_spawn_file_actions_t *actions, const struct clinux_spawn *request) {
    int failure = 0;
    for (int target = 0; target < 3 && failure == 0; target++) {
        // Without an action the program's own descriptor is inherited, unless it is marked close-on-exec: then it is
        // not the program's standard stream, but something that was opened where the stream had been closed.
        if (request->standard[target] != -1) {
            failure = posix_spawn_file_actions_adddup2(actions, request->standard[target], target);
        }
    }
    if (failure == 0) {
        failure = posix_spawn_file_actions_adddup2(actions, request->channel, request->channel_number);
    }
    if (failure == 0 && request->working_directory != -1) {
        failure = posix_spawn_file_actions_addfchdir_np(actions, request->working_directory);
    }
    // Other libraries leave descriptors inheritable; the child must not get them.
    if (failure == 0) {
        failure = posix_spawn_file_actions_addclosefrom_np(actions, request->channel_number + 1);
    }
    return failure;
}

static int fill_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failure = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (failure == 0) {
        failure = posix_spawnattr_setsigmask(attributes, &none);
    }
    if (failure == 0) {
        failure = posix_spawnattr_setsigdefault(attributes, &all);
    }
    return failure;
}

int clinux_spawn(const struct clinux_spawn *request, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure != 0) {
        return failure;
    }
    posix_spawnattr_t attributes;
    failure = posix_spawnattr_init(&attributes);
    if (failure != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return failure;
    }
    failure = fill_actions(&actions, request);
    if (failure == 0) {
        failure = fill_attributes(&attributes);
    }
    if (failure == 0) {
        failure = posix_spawn(pid, request->path, &actions, &attributes, request->arguments, request->environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}
