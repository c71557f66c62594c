// What Swift's Glibc module does not show of Linux: epoll, eventfd, pidfds, what a child is started with, and
// macros that Swift can't import. Every function returns -1 with errno set, or says otherwise; none decides anything.

#ifndef CLINUX_H
#define CLINUX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <sys/uio.h>

/// The environment variables that tell a child the number of its channel's descriptor: in the native dialect, and in
/// Node's, which says with another how messages are written. And the longest message that the child shall read.
#define CLINUX_CHANNEL_VARIABLE "SWIFT_FORK_CHANNEL_FD"
#define CLINUX_LIMIT_VARIABLE "SWIFT_FORK_MESSAGE_LIMIT"
#define CLINUX_NODE_CHANNEL_VARIABLE "NODE_CHANNEL_FD"
#define CLINUX_NODE_MODE_VARIABLE "NODE_CHANNEL_SERIALIZATION_MODE"

/// What they held when the program started, or NULL. The variables have been removed from the environment and the
/// descriptors marked close-on-exec before `main` began, while there was only one thread. A channel at the number of a
/// standard stream has been given another number, and the null device stands in its place.
const char *clinux_channel_descriptor(void);
const char *clinux_message_limit(void);
const char *clinux_node_channel_descriptor(void);
const char *clinux_node_mode(void);

/// A connected pair of Unix stream sockets, both close-on-exec.
int clinux_socketpair(int descriptors[2]);

/// The most descriptors that one call passes: the kernel's SCM_MAX_FD.
#define CLINUX_MAXIMUM_HANDLES 253

/// Sends without SIGPIPE and without waiting, whatever the flags of the descriptor are. The handles, 253 at most, ride with
/// the first byte.
ssize_t clinux_send(int descriptor, const struct iovec *parts, int count, const int *handles, int handle_count);

/// What came with the bytes of one `clinux_receive`.
struct clinux_arrival {
    int handle_count;
    bool truncated; ///< more were sent than could be taken; those have been closed
};

/// Receives without waiting, whatever the flags of the descriptor are. Descriptors that come with it are marked
/// close-on-exec and written to `handles`, which has room for all that can come; where it is NULL they are closed.
/// `*arrival` is written only where some came.
ssize_t clinux_receive(
    int descriptor, const struct iovec *parts, int count_of_parts, int *handles, struct clinux_arrival *arrival);

/// A pipe, both ends close-on-exec: the one to read from first.
int clinux_pipe(int descriptors[2]);

/// Writes without SIGPIPE, whose disposition stays as it is: where nobody can read any more it is -1 and EPIPE.
ssize_t clinux_write(int descriptor, const void *bytes, size_t count);

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

int clinux_pidfd_send_signal(int pidfd, int signal);

/// How a process ended, as `waitid` told it.
struct clinux_exit {
    bool ended;       ///< false: it still runs
    bool signaled;    ///< `value` is a signal, otherwise an exit code
    bool dumped_core;
    int value;
    int64_t user_microseconds;
    int64_t system_microseconds;
    int64_t peak_memory; ///< in bytes
};

/// Reaps the process behind a pidfd if it has ended; never waits. With `peek` it is left for another call.
int clinux_reap(int pidfd, bool peek, struct clinux_exit *result);

/// What can fail on the way to a new program; tells which option to blame.
enum clinux_step {
    CLINUX_STEP_START,
    CLINUX_STEP_SESSION,
    CLINUX_STEP_PROCESS_GROUP,
    CLINUX_STEP_DESCRIPTORS,
    CLINUX_STEP_WORKING_DIRECTORY,
    CLINUX_STEP_LIMITS,
    CLINUX_STEP_NICE,
    CLINUX_STEP_GROUPS,
    CLINUX_STEP_GROUP,
    CLINUX_STEP_USER,
    CLINUX_STEP_NO_NEW_PRIVILEGES,
    CLINUX_STEP_PARENT_DEATH_SIGNAL,
    CLINUX_STEP_EXECUTE,
};

/// `source` becomes `target`.
struct clinux_descriptor {
    int source;
    int target;
};

struct clinux_limit {
    int resource; ///< RLIMIT_AS and its like
    uint64_t soft;
    uint64_t hard;
};

struct clinux_spawn {
    const char *path;
    char *const *arguments;   ///< ends with NULL
    char *const *environment; ///< ends with NULL

    const struct clinux_descriptor *descriptors; ///< every source is above every target
    int descriptor_count;
    const int *open; ///< what is open in the child, ascending: all targets, and what is inherited
    int open_count;
    const int *kept; ///< those of them that lose their close-on-exec mark
    int kept_count;
    int working_directory; ///< an open directory, or -1: the parent's

    bool new_session;
    bool sets_process_group;
    int process_group; ///< 0: one of its own
    const struct clinux_limit *limits;
    int limit_count;
    bool sets_nice;
    int nice;
    const uint32_t *groups;
    int group_count; ///< -1: the parent's
    bool sets_group;
    uint32_t group;
    bool sets_user;
    uint32_t user;
    bool no_new_privileges;
    int parent_death_signal; ///< 0: none; comes when the calling thread ends
};

/// A program that was started, or why not.
struct clinux_spawned {
    int pid;
    int pidfd;              ///< close-on-exec
    enum clinux_step step;  ///< what failed
    int target;             ///< where that is CLINUX_STEP_DESCRIPTORS: the number in the child
};

/// Starts a program with an empty signal mask, default dispositions, and no descriptors but those named. Returns 0, or the
/// errno of the step that failed, and then no process is left.
int clinux_spawn(const struct clinux_spawn *request, struct clinux_spawned *result);

#endif
