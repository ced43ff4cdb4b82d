#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// By number: the C library has wrappers only since 2.36.
int hf_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
int hf_pidfd_getfd(int pidfd, int number) { return (int)syscall(SYS_pidfd_getfd, pidfd, number, 0); }
int hf_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}
int hf_close_range(unsigned first, unsigned last) { return (int)syscall(SYS_close_range, first, last, 0); }
int hf_memfd_create(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int hf_pin_thread(pid_t thread, int processor) {
    unsigned long mask[8192 / (8 * sizeof(unsigned long))] = {0}; // a bit for each processor, up to the kernel's limit
    if (processor < 0 || (size_t)processor >= 8 * sizeof mask) {
        errno = EINVAL;
        return -1;
    }
    size_t bits = 8 * sizeof *mask;
    mask[(size_t)processor / bits] = 1ul << ((size_t)processor % bits);
    return (int)syscall(SYS_sched_setaffinity, thread, sizeof mask, mask);
}

struct thread_start {
    void (*body)(void *);
    void *context;
    char name[16];
};

static void *thread_main(void *argument) {
    struct thread_start start = *(struct thread_start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    start.body(start.context);
    return NULL;
}

int hf_start_thread(const char *name, void (*body)(void *), void *context) {
    struct thread_start *start = calloc(1, sizeof *start);
    if (!start) return ENOMEM;
    start->body = body;
    start->context = context;
    strncpy(start->name, name, sizeof start->name - 1);

    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code) {
        free(start);
        return code;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 512 * 1024);
    // A thread inherits its creator's signal mask; blocked signals stay with the threads that wait for them.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_t thread;
    code = pthread_create(&thread, &attributes, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    pthread_attr_destroy(&attributes);
    if (code) free(start);
    return code;
}

const char *hf_error_text(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "Unknown error";
}

const char *hf_error_name(int code) {
    const char *name = strerrorname_np(code);
    return name ? name : "E?";
}
