// Starting a program, from a child that shares the parent's memory until it becomes the program. So nothing is copied, and
// what fails there is told by writing it down; but that child may touch nothing that the parent relies on. It makes system
// calls and nothing else, and makes them directly: the C library's functions that change identity would tell the parent's
// other threads to follow, and a sanitizer's versions of others would work on the state of the parent's thread.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// A sanitizer's checks would run in the name of the parent's thread, which is asleep.
#if defined(__has_attribute)
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNCHECKED __attribute__((disable_sanitizer_instrumentation))
#endif
#endif
#ifndef UNCHECKED
#define UNCHECKED
#endif

// The same function under its other name, which the sanitizers do not replace: theirs takes the child for a copy of the
// process, and closes the books on it twice.
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

enum {
    STACK_SIZE = 64 * 1024,
    KERNEL_SIGNAL_SET = 8, // bytes, one bit for each of 64 signals
};

struct child {
    const struct clinux_spawn *request;
    pid_t parent;
    enum clinux_step step;
    int target;
    int failure;
};

UNCHECKED static long call(long number, long first, long second, long third) {
    return syscall(number, first, second, third);
}

UNCHECKED static _Noreturn void end(void) {
    for (;;) {
        syscall(SYS_exit_group, 127);
    }
}

UNCHECKED static bool reset_signals(void) {
    // The kernel's own form of the default action is zeroes. The C library would refuse two signals of its own, which
    // this process may have inherited as ignored.
    unsigned long action[8] = {0};
    for (int signal = 1; signal < NSIG; signal++) {
        syscall(SYS_rt_sigaction, signal, action, NULL, KERNEL_SIGNAL_SET);
    }
    return true;
}

UNCHECKED static bool arrange_descriptors(struct child *child) {
    const struct clinux_spawn *request = child->request;
    for (int index = 0; index < request->descriptor_count; index++) {
        child->target = request->descriptors[index].target;
        if (call(SYS_dup3, request->descriptors[index].source, request->descriptors[index].target, 0) == -1) {
            return false;
        }
    }
    for (int index = 0; index < request->kept_count; index++) {
        child->target = request->kept[index];
        if (call(SYS_fcntl, request->kept[index], F_SETFD, 0) == -1) {
            return false;
        }
    }
    // Other libraries leave descriptors inheritable; the child must not get them.
    unsigned int next = 0;
    for (int index = 0; index < request->open_count; index++) {
        unsigned int open = (unsigned int)request->open[index];
        if (open > next && call(SYS_close_range, next, open - 1, 0) == -1) {
            return false;
        }
        next = open + 1;
    }
    return call(SYS_close_range, next, ~0U, 0) == 0;
}

UNCHECKED static bool set_limits(const struct clinux_spawn *request) {
    for (int index = 0; index < request->limit_count; index++) {
        const struct clinux_limit *limit = &request->limits[index];
        struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
        if (syscall(SYS_prlimit64, 0, limit->resource, &value, NULL) == -1) {
            return false;
        }
    }
    return true;
}

// The signal is lost where the parent has ended before it was asked for.
UNCHECKED static bool set_parent_death_signal(const struct child *child) {
    if (call(SYS_prctl, PR_SET_PDEATHSIG, child->request->parent_death_signal, 0) == -1) {
        return false;
    }
    if (call(SYS_getppid, 0, 0, 0) != child->parent) {
        end();
    }
    return true;
}

UNCHECKED static bool prepare(struct child *child) {
    const struct clinux_spawn *request = child->request;
#define STEP(name, wanted, call)               \
    do {                                       \
        child->step = CLINUX_STEP_##name;      \
        if ((wanted) && !(call)) return false; \
    } while (0)
    STEP(START, true, reset_signals());
    STEP(SESSION, request->new_session, call(SYS_setsid, 0, 0, 0) != -1);
    STEP(PROCESS_GROUP, request->sets_process_group, call(SYS_setpgid, 0, request->process_group, 0) == 0);
    STEP(WORKING_DIRECTORY, request->working_directory != -1, call(SYS_fchdir, request->working_directory, 0, 0) == 0);
    STEP(DESCRIPTORS, true, arrange_descriptors(child));
    STEP(LIMITS, true, set_limits(request));
    STEP(NICE, request->sets_nice, call(SYS_setpriority, PRIO_PROCESS, 0, request->nice) == 0);
    STEP(GROUPS, request->group_count >= 0, syscall(SYS_setgroups, request->group_count, request->groups) == 0);
    STEP(GROUP, request->sets_group, syscall(SYS_setresgid, request->group, request->group, request->group) == 0);
    STEP(USER, request->sets_user, syscall(SYS_setresuid, request->user, request->user, request->user) == 0);
    STEP(NO_NEW_PRIVILEGES, request->no_new_privileges, syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    // After the change of identity, which clears it.
    STEP(PARENT_DEATH_SIGNAL, request->parent_death_signal != 0, set_parent_death_signal(child));
#undef STEP
    return true;
}

UNCHECKED static int run(void *argument) {
    struct child *child = argument;
    if (prepare(child)) {
        unsigned long none = 0;
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGNAL_SET);
        child->step = CLINUX_STEP_EXECUTE;
        syscall(SYS_execve, child->request->path, child->request->arguments, child->request->environment);
    }
    child->failure = errno;
    end();
}

int clinux_spawn(const struct clinux_spawn *request, struct clinux_spawned *result) {
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        result->step = CLINUX_STEP_START;
        return errno;
    }
    struct child child = {.request = request, .parent = getpid()};

    // No handler of the parent may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    // Returns when the child has become the program, or has ended.
    int pid = __clone(run, (char *)stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
    int failure = pid == -1 ? errno : child.failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK_SIZE);

    result->step = child.step;
    result->target = child.target;
    if (failure == 0) {
        result->pid = pid;
        result->pidfd = pidfd;
        return 0;
    }
    if (pid != -1) {
        siginfo_t info;
        while (waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED) == -1 && errno == EINTR) {
        }
        close(pidfd);
    }
    return failure;
}
