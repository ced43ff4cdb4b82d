#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/sysmacros.h>

const int hf_o_path = O_PATH;

int hf_namespace_flag(const char *name) {
    static const struct {
        const char *name;
        int flag;
    } table[] = {
        {"cgroup", CLONE_NEWCGROUP}, {"ipc", CLONE_NEWIPC},   {"mnt", CLONE_NEWNS}, {"net", CLONE_NEWNET},
        {"pid", CLONE_NEWPID},       {"user", CLONE_NEWUSER}, {"uts", CLONE_NEWUTS},
    };
    for (size_t index = 0; index < sizeof table / sizeof table[0]; index++) {
        if (strcmp(name, table[index].name) == 0) return table[index].flag;
    }
    return 0;
}

uint64_t hf_make_device(uint32_t major, uint32_t minor) { return makedev(major, minor); }
