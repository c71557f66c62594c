// Tells ThreadSanitizer what the slow paths of Swift's Mutex synchronize. Preloaded by `make tsan`.
//
// On Linux the fast paths of Synchronization.Mutex are compiled into the program and seen there. The slow paths are in
// the standard library, which is not instrumented, so that every mutex that has ever been contended would be reported.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define SELF __attribute__((swift_context)) void *self
#define SWIFT __attribute__((swiftcall))

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Not there in programs that are preloaded by the way.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

SWIFT void fork_lock_slow(uint32_t thread, SELF) __asm__(LOCK_SLOW);
SWIFT bool fork_try_lock_slow(SELF) __asm__(TRY_LOCK_SLOW);
SWIFT void fork_unlock_slow(SELF) __asm__(UNLOCK_SLOW);

SWIFT void fork_lock_slow(uint32_t thread, SELF)
{
    SWIFT void (*next)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK_SLOW);
    next(thread, self);
    if (__tsan_acquire)
        __tsan_acquire(self);
}

SWIFT bool fork_try_lock_slow(SELF)
{
    SWIFT bool (*next)(SELF) = dlsym(RTLD_NEXT, TRY_LOCK_SLOW);
    bool is_locked = next(self);
    if (is_locked && __tsan_acquire)
        __tsan_acquire(self);
    return is_locked;
}

SWIFT void fork_unlock_slow(SELF)
{
    SWIFT void (*next)(SELF) = dlsym(RTLD_NEXT, UNLOCK_SLOW);
    if (__tsan_release)
        __tsan_release(self);
    next(self);
}
