// What Swift's Glibc module does not show of Linux: epoll, eventfd, pidfds, the GNU extensions of posix_spawn, and
// macros that Swift can't import. Every function returns -1 with errno set, or says otherwise; none decides anything.

#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <sys/uio.h>

/// An address by which ThreadSanitizer knows a lock; NULL in builds without it, where the other three do nothing.
void *clinux_tsan_token(void);
void clinux_tsan_free(void *token);
void clinux_tsan_acquire(void *token);
void clinux_tsan_release(void *token);

/// The environment variable that tells a child the number of its channel's descriptor.
#define CLINUX_CHANNEL_VARIABLE "SWIFT_FORK_CHANNEL_FD"

/// What `CLINUX_CHANNEL_VARIABLE` held when the program started, or NULL. The variable has been removed from the
/// environment and the descriptor marked close-on-exec before `main` began, while there was only one thread.
const char *clinux_channel_descriptor(void);

/// A connected pair of Unix stream sockets, both close-on-exec.
int clinux_socketpair(int descriptors[2]);

/// Sends without SIGPIPE and without waiting, whatever the flags of the descriptor are.
ssize_t clinux_send(int descriptor, const struct iovec *parts, int count);

/// Receives without waiting, whatever the flags of the descriptor are. Descriptors that came with it have been closed;
/// then, and only then, `*dropped_descriptors` is written: true.
ssize_t clinux_receive(int descriptor, void *buffer, size_t capacity, bool *dropped_descriptors);

/// Whether the descriptor is a Unix stream socket.
bool clinux_is_unix_stream(int descriptor);

/// `environ`, which is NULL after `clearenv`.
char **clinux_environment(void);

/// How many cores this process may use; at least 1.
int clinux_core_count(void);

/// Opens a directory to start a program in; the right to search it is needed, and enough.
int clinux_open_directory(const char *path);

/// Names the calling thread; the kernel keeps the first fifteen bytes.
void clinux_name_thread(const char *name);

int clinux_pidfd_open(pid_t pid);
int clinux_pidfd_send_signal(int pidfd, int signal);

/// How a process ended, as `waitid` told it.
struct clinux_exit {
    bool ended;       ///< false: it still runs
    bool signaled;    ///< `value` is a signal, otherwise an exit code
    bool dumped_core;
    int value;
};

/// Reaps the process behind a pidfd if it has ended; never waits.
int clinux_reap(int pidfd, struct clinux_exit *result);

struct clinux_spawn {
    const char *path;
    char *const *arguments;   ///< ends with NULL
    char *const *environment; ///< ends with NULL
    int working_directory;    ///< an open directory, or -1: the parent's
    int standard[3];          ///< what becomes descriptors 0, 1 and 2; -1: inherited
    int channel;              ///< becomes `channel_number`; must be above it
    int channel_number;
};

/// Starts a program with an empty signal mask, default dispositions, and no descriptor but 0, 1, 2 and its channel.
/// Returns 0, or the errno of the step that failed (`execve` included), and then no process is left.
int clinux_spawn(const struct clinux_spawn *request, pid_t *pid);

#endif
