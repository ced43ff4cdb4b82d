/*
 * init of a hypervisor image's initramfs: finds the read-only root, puts a writable layer in memory over it, and
 * executes systemd there.
 *
 * The root is the virtio disk with the serial number "hfroot". The kernel parameter hyperfresh.overlay=SIZE (bytes
 * with K, M or G, or a percentage of memory; 50% by default) limits the size of the writable layer.
 *
 * Modules: /modules/order of the initramfs lists the modules needed to find the root. /usr/lib/hyperfresh/modules of
 * the root lists the modules that every hypervisor needs; they are loaded while systemd starts. A line is "PATH",
 * "svm PATH" or "vmx PATH", the latter two for CPUs with that feature. Kernel parameters MODULE.NAME=VALUE are passed
 * to the module, as with modprobe.
 *
 * An error is printed on the console, and the machine powers off.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROOT_SERIAL "hfroot"
#define AGENT_PORT "org.qemu.guest_agent.0"
#define ROOT_DEADLINE_MS 30000
#define PORTS_DEADLINE_MS 2000

static char command_line[4096];

static __attribute__((format(printf, 1, 2))) void say(const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    // The kernel log appears on the console and later in the journal.
    int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    if (log < 0) return;
    dprintf(log, "<4>hyperfresh: %s\n", text);
    close(log);
}

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    say("error: %s; powering off", text);
    sync();
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

static void pause_ms(long ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* Reads a small file without its last newline; false if it cannot be read. */
static bool read_text(const char *path, char *text, size_t size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    ssize_t count = read(file, text, size - 1);
    close(file);
    if (count < 0) return false;
    text[count] = 0;
    if (count > 0 && text[count - 1] == '\n') text[count - 1] = 0;
    return true;
}

static void must_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    if (mount(source, target, type, flags, data) != 0)
        fail("cannot mount %s (%s) on %s: %s", source, type ? type : "move", target, strerror(errno));
}

/* ---------------------------------------------------------------- modules */

/* Returns the CPU's virtualization feature: "svm" (AMD), "vmx" (Intel) or "". */
static const char *virtualization(void) {
    unsigned a, b, c, d;
    if (__get_cpuid(0x80000001, &a, &b, &c, &d) && (c & 1u << 2)) return "svm";
    if (__get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 5)) return "vmx";
    return "";
}

/* Copies the module's parameters from the kernel command line. */
static void parameters_of(const char *path, char *parameters, size_t size) {
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    size_t length = strcspn(base, "."), used = 0;
    parameters[0] = 0;
    for (const char *word = command_line; *word; word += strspn(word, " ")) {
        size_t end = strcspn(word, " "), i = 0;
        // A file name may have "-" in place of the "_" of the module's name.
        while (i < length && i < end && (word[i] == base[i] || (word[i] == '_' && base[i] == '-'))) i++;
        if (i == length && word[i] == '.' && used + (end - i) + 1 < size) {
            memcpy(parameters + used, word + i + 1, end - i - 1);
            used += end - i - 1;
            parameters[used++] = ' ';
            parameters[used] = 0;
        }
        word += end;
    }
}

static void load_module(const char *path) {
    char parameters[1024];
    parameters_of(path, parameters, sizeof parameters);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || (syscall(SYS_finit_module, file, parameters, 0) != 0 && errno != EEXIST))
        say("cannot load %s: %s", path, strerror(errno));
    if (file >= 0) close(file);
}

static void load_modules(const char *list) {
    FILE *file = fopen(list, "re");
    if (!file) fail("%s is missing in the image: %s", list, strerror(errno));
    const char *cpu = virtualization();
    char line[512];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *path = strchr(line, '/');
        if (path && (path == line || strncmp(line, cpu, 3) == 0)) load_module(path);
    }
    fclose(file);
}

/* ---------------------------------------------------------------- root */

/* Finds the disk with our serial number among the present disks. */
static bool find_root(char *device, size_t size) {
    DIR *disks = opendir("/sys/block");
    bool found = false;
    for (struct dirent *entry; disks && !found && (entry = readdir(disks));) {
        char path[300], serial[64];
        snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
        found = read_text(path, serial, sizeof serial) && strcmp(serial, ROOT_SERIAL) == 0;
        if (found) snprintf(device, size, "/dev/%s", entry->d_name);
    }
    if (disks) closedir(disks);
    return found;
}

static void mount_root(void) {
    char device[300], options[512], size[32] = "50%";
    for (int waited = 0; !find_root(device, sizeof device); waited += 2) {
        if (waited >= ROOT_DEADLINE_MS) fail("no virtio disk with the serial number " ROOT_SERIAL);
        pause_ms(2);
    }
    const char *word = strstr(command_line, "hyperfresh.overlay=");
    if (word) sscanf(word, "hyperfresh.overlay=%31[0-9KMGkmg%%]", size);

    must_mount(device, "/image", "erofs", MS_RDONLY, NULL);
    snprintf(options, sizeof options, "mode=755,size=%s", size);
    must_mount("overlay", "/layer", "tmpfs", 0, options);
    if (mkdir("/layer/upper", 0755) != 0 || mkdir("/layer/work", 0755) != 0)
        fail("cannot prepare the writable layer: %s", strerror(errno));
    must_mount("root", "/root", "overlay", 0, "lowerdir=/image,upperdir=/layer/upper,workdir=/layer/work");
}

/*
 * Starts the CPUs that the kernel parameter maxcpus=1 has left offline. Loading KVM patches the kernel's text in
 * hundreds of places, and each patch synchronizes all CPUs: on a busy host this takes seconds with two CPUs and
 * almost no time with one.
 */
static void start_cpus(void) {
    char path[64];
    for (int cpu = 1;; cpu++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/online", cpu);
        int file = open(path, O_WRONLY | O_CLOEXEC);
        if (file < 0) return;
        if (write(file, "1", 1) != 1) say("cannot start CPU %d: %s", cpu, strerror(errno));
        close(file);
    }
}

/*
 * Creates the name of the guest agent's port, as udev will later. systemd starts the agent when the name exists (see
 * qemu-guest-agent.path). The name is created last, so an agent that answers means that the hypervisor is ready.
 */
static void name_agent_port(void) {
    mkdir("/dev/virtio-ports", 0755);
    for (int waited = 0; waited < PORTS_DEADLINE_MS; waited += 2, pause_ms(2)) {
        DIR *ports = opendir("/sys/class/virtio-ports");
        for (struct dirent *entry; ports && (entry = readdir(ports));) {
            char path[300], name[128], target[300];
            snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", entry->d_name);
            if (!read_text(path, name, sizeof name) || strcmp(name, AGENT_PORT) != 0) continue;
            snprintf(target, sizeof target, "../%s", entry->d_name);
            symlink(target, "/dev/virtio-ports/" AGENT_PORT);
            closedir(ports);
            return;
        }
        if (ports) closedir(ports);
    }
    say("error: no virtio port " AGENT_PORT ": this hypervisor cannot be reached");
}

int main(void) {
    mkdir("/dev", 0755), mkdir("/proc", 0755), mkdir("/sys", 0755);
    mkdir("/image", 0755), mkdir("/layer", 0755), mkdir("/root", 0755);
    must_mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755");
    must_mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    must_mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    read_text("/proc/cmdline", command_line, sizeof command_line);

    load_modules("/modules/order");
    mount_root();

    must_mount("/dev", "/root/dev", NULL, MS_MOVE, NULL);
    must_mount("/proc", "/root/proc", NULL, MS_MOVE, NULL);
    must_mount("/sys", "/root/sys", NULL, MS_MOVE, NULL);
    if (chdir("/root") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
        fail("cannot switch to the root: %s", strerror(errno));

    // Load the other modules from the root in parallel with systemd; the child becomes systemd's, which reaps it.
    if (fork() == 0) {
        load_modules("/usr/lib/hyperfresh/modules");
        start_cpus();
        name_agent_port();
        _exit(0);
    }
    execl("/lib/systemd/systemd", "/lib/systemd/systemd", (char *)NULL);
    fail("cannot start systemd: %s", strerror(errno));
}
