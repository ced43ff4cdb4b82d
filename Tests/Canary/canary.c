/*
 * canary: the whole user space (PID 1) of a guest that only checks itself and reports the results.
 *
 * Every live test uses it: if a refresh of the QEMU beneath it loses or duplicates anything, a line on its port
 * describes it. Five checkers run concurrently:
 *
 *   memory   each 4 KiB page of a large buffer contains its address, a sequence number and a checksum; pages are
 *            verified and rewritten continuously
 *   disks    each virtio disk (vda, vdb ..., also those plugged later) gets sealed records, written with O_DIRECT and
 *            fsync and read back, and older ones are read again. A read-only disk and one with foreign data are not
 *            touched and reported with "foreign":true. The expected content is kept in memory, so a disk check also
 *            detects RAM that was reset to an older state
 *   clocks   CLOCK_MONOTONIC and CLOCK_REALTIME never go back; the longest gap between two looks is recorded
 *   network  TCP echo on port 7; optionally a datagram at every look at the clocks
 *   host     see below
 *
 * Time that the guest cannot see. While QEMU has stopped a guest, everything that runs on QEMU's virtual clock stops
 * too: under TCG that is TSC, HPET, the ACPI timer and the local APIC, and so CLOCK_MONOTONIC, CLOCK_BOOTTIME and
 * CLOCK_REALTIME; under KVM it is kvmclock. A stop therefore hardly shows in "gap_us". One device follows the host's
 * clock: the CMOS RTC (QEMU's default, -rtc clock=host). The canary watches the edge between two RTC seconds on
 * CLOCK_MONOTONIC; each stop makes the next edge come early by exactly the time stopped. A late look can only make a
 * stop seem shorter, and the edge after it then adds the rest. "stopped_us" is the time lost since the last report,
 * "stopped_total_us" the sum since boot: its growth over the three seconds after a refresh is the time stopped
 * (resolution 0.1 ms when the guest gets its CPU, see "stopped_poll_us"). With -rtc clock=vm it stays 0; both stay 0
 * where the RTC's ports cannot be used, as in a nested guest under TCG.
 * A second check is outside: with canary.beat, a datagram leaves the guest at each look at the clocks, and the receiver
 * sees gaps in the guest's work.
 *
 * Options, on the kernel command line:
 *   canary.memory=64M     size of the buffer (K, M, G)
 *   canary.dirty=4096     pages verified and rewritten each second; "max" without pause; "idle" verifies 2048 pages
 *                         a second and rewrites 128 of them
 *   canary.bursts=20      the number of bursts a second; each burst wakes the guest up
 *   canary.disk=auto      "none" does not touch disks
 *   canary.disk_rate=10   records each second and disk
 *   canary.ip=A.B.C.D/N   address of eth0; canary.ip1= that of eth1, and so on; also for those plugged later
 *   canary.sample_us=1000 microseconds between two looks at the clocks
 *   canary.beat=A.B.C.D:P datagram to this address at each look: sequence and CLOCK_MONOTONIC in nanoseconds, two
 *                         64-bit big-endian numbers
 *   canary.reports=1      lines each second
 *   canary.port=ttyS0     the port for reports. A serial port exits the guest for each byte, a virtio console (hvc0)
 *                         once for a line; this matters where exits are slow, as in a nested guest
 *   canary.control=ttyS1  the port for commands, if it is not the report port, whose other end may be a file
 *   canary.events=N       report to the pvpanic device about N times a second that a crash kernel has taken over: QEMU
 *                         only sends each as an event to all of its monitors (needs -device pvpanic)
 *   canary.fault=memory|disk|clock   corrupt this on purpose canary.fault_after=5 seconds after boot, once: shows
 *                         that the canary detects errors
 *
 * Output: JSON lines on the port, canary.reports= each second, and one immediately after an anomaly:
 *   canary            1, the version of this line
 *   up_ms, seq        milliseconds since boot (CLOCK_BOOTTIME), number of this line
 *   pages             pages of the buffer that are in use (grows while the buffer is filled)
 *   pages_verified, page_walks     since boot
 *   disks             name, records (written), verified (read back or read again)
 *   nets              name, ip
 *   tcp_bytes, tcp_clients         echoed since boot, connected now
 *   beats             datagrams sent
 *   gap_us            longest gap between two looks since the last line; gap_base_us: the usual gap;
 *                     gap_max_us: the longest since the first line
 *   stopped_us, stopped_total_us, stopped_poll_us  as above; the last is how precisely the latest edge was seen
 *   anomalies, anomaly             count, text of the last one or ""
 *
 * Input on the port, or on canary.control: the line "poweroff" powers off, "report" requests a line immediately.
 *
 * Modules are loaded from /modules in the order of /modules/order. Keep the kernel's console away from ttyS0
 * (console=tty0 quiet loglevel=0).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096
#define PAGE_WORDS (PAGE_BYTES / 8)
#define MAX_DISKS 16
#define MAX_NETS 8
#define MAX_CLIENTS 64
#define DISK_SLOTS 4096
#define SECOND_NS 1000000000LL

/* ---------------------------------------------------------------- state shared by the checkers */

static char command_line[4096];
static uint64_t boot_id;
static int port = -1, control = -1;
static int wake_reporter = -1;

static pthread_mutex_t anomaly_lock = PTHREAD_MUTEX_INITIALIZER;
static char anomaly_text[256];
static unsigned long anomaly_count;

static atomic_ulong pages_filled, pages_verified, page_walks;
static atomic_ulong tcp_bytes, tcp_clients, beats;
static atomic_long gap_since_report, gap_longest, gap_usual;
static atomic_long stopped_since_report, stopped_total, stopped_resolution;
static atomic_bool fault_memory, fault_disk;

struct disk {
    char name[32];
    bool used;
    atomic_bool gone, foreign;
    atomic_ulong records, verified;
};
static struct disk disks[MAX_DISKS];

struct net {
    char name[IFNAMSIZ];
    char address[INET_ADDRSTRLEN];
};
static struct net nets[MAX_NETS];
static size_t net_count;

/* ---------------------------------------------------------------- small helpers */

static int64_t now_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * SECOND_NS + t.tv_nsec;
}

static void sleep_ns(int64_t ns) {
    struct timespec t = {.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static __attribute__((format(printf, 1, 2))) void anomaly(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&anomaly_lock);
    vsnprintf(anomaly_text, sizeof anomaly_text, format, arguments);
    anomaly_count++;
    pthread_mutex_unlock(&anomaly_lock);
    va_end(arguments);
    eventfd_write(wake_reporter, 1);
}

/* Returns the value of canary.NAME= on the kernel command line, or `otherwise`. Valid until this thread has made four
   more calls. */
static const char *option(const char *name, const char *otherwise) {
    static _Thread_local char values[4][64];
    static _Thread_local size_t next;
    char key[64];
    snprintf(key, sizeof key, "canary.%s=", name);
    const char *found = strstr(command_line, key);
    if (!found) return otherwise;
    found += strlen(key);
    char *value = values[next++ % 4];
    snprintf(value, sizeof values[0], "%.*s", (int)strcspn(found, " \n"), found);
    return value;
}

static uint64_t size_of_text(const char *text) {
    char *end;
    uint64_t size = strtoull(text, &end, 10);
    switch (*end) {
    case 'G': return size << 30;
    case 'M': return size << 20;
    case 'K': return size << 10;
    default: return size;
    }
}

static void start(void *(*body)(void *), void *argument, int realtime_priority) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (realtime_priority > 0) {
        struct sched_param parameter = {.sched_priority = realtime_priority};
        pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
        pthread_attr_setschedparam(&attributes, &parameter);
    }
    int error = pthread_create(&thread, &attributes, body, argument);
    if (error != 0) anomaly("cannot start a thread: %s", strerror(error));
    pthread_attr_destroy(&attributes);
}

static void power_off(void) {
    /* Do not wait for the serial port: if its reader does not read, that would never end. */
    reboot(RB_POWER_OFF);
    for (;;) pause();
}

/* ---------------------------------------------------------------- sealed blocks: pages and disk records */

struct block {
    uint64_t magic, owner, place, sequence, checksum;
    uint64_t body[PAGE_WORDS - 5];
};
_Static_assert(sizeof(struct block) == PAGE_BYTES, "a block fills a page");

static const uint64_t magic = 0x315952414e4143ULL; /* "CANARY1" */

static uint64_t checksum_of(const struct block *block) {
    uint64_t sum = 0xcbf29ce484222325ULL ^ block->owner;
    sum = (sum ^ block->place) * 0x100000001b3ULL;
    sum = (sum ^ block->sequence) * 0x100000001b3ULL;
    for (size_t i = 0; i < PAGE_WORDS - 5; i++) {
        sum ^= block->body[i];
        sum = (sum << 7 | sum >> 57) * 0x9e3779b97f4a7c15ULL;
    }
    return sum;
}

static void seal(struct block *block, uint64_t owner, uint64_t place, uint64_t sequence) {
    uint64_t pattern = (owner ^ place) + sequence * 0x9e3779b97f4a7c15ULL;
    block->magic = magic;
    block->owner = owner;
    block->place = place;
    block->sequence = sequence;
    for (size_t i = 0; i < PAGE_WORDS - 5; i++) block->body[i] = pattern + i;
    block->checksum = checksum_of(block);
}

/* Reports an error in a block; returns true if there is none. */
static bool verify(const struct block *block, uint64_t owner, uint64_t place, uint64_t sequence, const char *what) {
#define WRONG(field, format)                                                                                       \
    anomaly("%s at 0x%llx: " #field " is " format ", expected " format, what, (unsigned long long)place,           \
            (unsigned long long)block->field, (unsigned long long)field)
    if (block->magic != magic) return WRONG(magic, "0x%llx"), false;
    if (block->owner != owner) return WRONG(owner, "0x%llx"), false;
    if (block->place != place) return WRONG(place, "0x%llx"), false;
    if (block->sequence != sequence) return WRONG(sequence, "%llu"), false;
    uint64_t checksum = checksum_of(block);
    if (block->checksum != checksum) return WRONG(checksum, "0x%llx"), false;
#undef WRONG
    return true;
}

/* ---------------------------------------------------------------- memory */

struct pace {
    bool unbounded;
    unsigned verify_per_second, rewrite_every;
};

static struct pace pace_of(const char *text) {
    if (strcmp(text, "max") == 0) return (struct pace){.unbounded = true, .rewrite_every = 1};
    if (strcmp(text, "idle") == 0) return (struct pace){.verify_per_second = 2048, .rewrite_every = 16};
    int pages = atoi(text);
    return (struct pace){.verify_per_second = pages > 0 ? (unsigned)pages : 1, .rewrite_every = 1};
}

static void *watch_memory(void *unused) {
    (void)unused;
    uint64_t pages = size_of_text(option("memory", "64M")) / PAGE_BYTES;
    struct pace pace = pace_of(option("dirty", "4096"));
    struct block *buffer =
        mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint32_t *expected = calloc(pages, sizeof *expected);
    if (buffer == MAP_FAILED || !expected) return anomaly("no memory for %llu pages", (unsigned long long)pages), NULL;

    for (uint64_t i = 0; i < pages; i++) {
        seal(&buffer[i], boot_id, (uintptr_t)&buffer[i], 0);
        pages_filled++;
    }
    /* Bursts keep wake-ups few and the load even. */
    int wanted = atoi(option("bursts", "20"));
    const unsigned bursts = wanted > 0 ? (unsigned)wanted : 1;
    uint64_t budget = 0;
    for (uint64_t turn = 0;; turn++) {
        for (uint64_t i = 0; i < pages; i++) {
            uint64_t place = (uintptr_t)&buffer[i];
            bool good = verify(&buffer[i], boot_id, place, expected[i], "memory page");
            if (!good || (i + turn) % pace.rewrite_every == 0) seal(&buffer[i], boot_id, place, ++expected[i]);
            pages_verified++;
            if (!pace.unbounded && ++budget * bursts >= pace.verify_per_second) {
                budget = 0;
                /* A rate below the number of bursts becomes one page at longer intervals. */
                unsigned pauses = pace.verify_per_second < bursts ? pace.verify_per_second : bursts;
                sleep_ns(SECOND_NS / pauses);
            }
            if (atomic_exchange(&fault_memory, false)) buffer[pages / 2].body[100] ^= 1;
        }
        page_walks++;
    }
    return NULL;
}

/* ---------------------------------------------------------------- disks */

static bool transfer(struct disk *disk, int fd, struct block *block, uint64_t slot, bool writing) {
    off_t offset = (off_t)(slot * PAGE_BYTES);
    ssize_t n = writing ? pwrite(fd, block, PAGE_BYTES, offset) : pread(fd, block, PAGE_BYTES, offset);
    int error = errno;
    if (n == PAGE_BYTES && writing && fsync(fd) < 0) n = -1, error = errno;
    if (n == PAGE_BYTES) return true;
    char path[64];
    snprintf(path, sizeof path, "/sys/block/%s", disk->name);
    if (access(path, F_OK) < 0) disk->gone = true;
    else anomaly("%s: %s of slot %llu failed: %s", disk->name, writing ? "write" : "read", (unsigned long long)slot,
                 n < 0 ? strerror(error) : "short transfer");
    return false;
}

/* Slot 0 identifies the disk's owner: the disk is ours if it is blank or belonged to a canary before. */
static bool adopt(struct disk *disk, int fd, struct block *block, uint64_t owner) {
    if (!transfer(disk, fd, block, 0, false)) return false;
    bool blank = true;
    for (size_t i = 0; i < PAGE_WORDS; i++) blank = blank && ((uint64_t *)block)[i] == 0;
    if (!blank && block->magic != magic) {
        disk->foreign = true;
        return false;
    }
    seal(block, owner, 0, 0);
    return transfer(disk, fd, block, 0, true);
}

static void exercise(struct disk *disk, int fd, struct block *block) {
    uint64_t bytes = 0, owner;
    ioctl(fd, BLKGETSIZE64, &bytes);
    int read_only = 0;
    ioctl(fd, BLKROGET, &read_only);
    if (read_only) {
        disk->foreign = true;
        return;
    }
    uint64_t slots = bytes / PAGE_BYTES < DISK_SLOTS ? bytes / PAGE_BYTES : DISK_SLOTS;
    int rate = atoi(option("disk_rate", "10"));
    static uint64_t expected[MAX_DISKS][DISK_SLOTS];
    uint64_t *sequence_at = expected[disk - disks];
    getrandom(&owner, sizeof owner, GRND_INSECURE);
    memset(sequence_at, 0, sizeof expected[0]);
    if (slots < 2) return anomaly("%s: too small", disk->name);
    if (!adopt(disk, fd, block, owner)) return;

    uint64_t random = owner;
    for (uint64_t sequence = 1; !disk->gone; sequence++) {
        uint64_t slot = 1 + (sequence - 1) % (slots - 1);
        seal(block, owner, slot, sequence);
        if (transfer(disk, fd, block, slot, true)) {
            sequence_at[slot] = sequence;
            disk->records++;
        }
        /* The new record, then an older one. */
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        uint64_t written = sequence < slots - 1 ? sequence : slots - 1;
        uint64_t older = 1 + (random >> 33) % written;
        if (atomic_exchange(&fault_disk, false)) {
            seal(block, owner, older, sequence_at[older]);
            block->body[100] ^= 1;
            transfer(disk, fd, block, older, true);
        }
        uint64_t looks[2] = {slot, older};
        for (size_t i = 0; i < 2; i++) {
            if (sequence_at[looks[i]] == 0 || !transfer(disk, fd, block, looks[i], false)) continue;
            if (verify(block, owner, looks[i], sequence_at[looks[i]], disk->name)) disk->verified++;
            else sequence_at[looks[i]] = 0;
        }
        sleep_ns(SECOND_NS / (rate > 0 ? rate : 1));
    }
}

static void *watch_disk(void *argument) {
    struct disk *disk = argument;
    char path[64];
    struct block *block = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
    snprintf(path, sizeof path, "/dev/%s", disk->name);
    int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (fd < 0) anomaly("%s: cannot open: %s", disk->name, strerror(errno));
    else exercise(disk, fd, block);
    if (fd >= 0) close(fd);
    free(block);
    /* Its slot is reused only after the device has left. */
    snprintf(path, sizeof path, "/sys/block/%s", disk->name);
    while (access(path, F_OK) == 0) sleep_ns(SECOND_NS);
    disk->used = false;
    return NULL;
}

static void look_for_disks(void) {
    struct dirent *entry;
    DIR *directory = opendir("/sys/block");
    while (directory && (entry = readdir(directory))) {
        struct disk *empty = NULL;
        bool known = strncmp(entry->d_name, "vd", 2) != 0;
        for (size_t i = 0; i < MAX_DISKS; i++) {
            if (!disks[i].used) empty = empty ? empty : &disks[i];
            else if (strcmp(disks[i].name, entry->d_name) == 0) known = true;
        }
        if (known || !empty) continue;
        memset(empty, 0, sizeof *empty);
        snprintf(empty->name, sizeof empty->name, "%.31s", entry->d_name);
        empty->used = true;
        start(watch_disk, empty, 0);
    }
    if (directory) closedir(directory);
}

/* ---------------------------------------------------------------- network */

static bool configure(int fd, const char *name, const char *text, char *address) {
    struct ifreq request = {0};
    struct sockaddr_in *inet = (struct sockaddr_in *)&request.ifr_addr;
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    char *slash = strchr(copy, '/');
    int prefix = slash ? atoi(slash + 1) : 24;
    if (slash) *slash = '\0';
    memcpy(request.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
    inet->sin_family = AF_INET;
    if (inet_pton(AF_INET, copy, &inet->sin_addr) != 1) return anomaly("%s: bad address %s", name, text), false;
    if (ioctl(fd, SIOCSIFADDR, &request) < 0) return anomaly("%s: address: %s", name, strerror(errno)), false;
    inet->sin_addr.s_addr = htonl(prefix > 0 ? 0xffffffffU << (32 - prefix) : 0);
    if (ioctl(fd, SIOCSIFNETMASK, &request) < 0) return anomaly("%s: netmask: %s", name, strerror(errno)), false;
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) return anomaly("%s: up: %s", name, strerror(errno)), false;
    snprintf(address, INET_ADDRSTRLEN, "%.15s", copy);
    return true;
}

static bool has_interface(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/sys/class/net/%.15s", name);
    return access(path, F_OK) == 0;
}

static void look_for_nets(void) {
    size_t kept = 0;
    for (size_t i = 0; i < net_count; i++) {
        if (has_interface(nets[i].name)) nets[kept++] = nets[i];
    }
    net_count = kept;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (unsigned n = 0; n < MAX_NETS && net_count < MAX_NETS; n++) {
        char name[16], key[8] = "ip";
        bool known = false;
        if (n > 0) snprintf(key, sizeof key, "ip%u", n);
        snprintf(name, sizeof name, "eth%u", n);
        for (size_t i = 0; i < net_count; i++) known = known || strcmp(nets[i].name, name) == 0;
        const char *text = option(key, NULL);
        if (known || !text || !has_interface(name)) continue;
        struct net *net = &nets[net_count++];
        snprintf(net->name, sizeof net->name, "%s", name);
        if (!configure(fd, name, text, net->address)) net->address[0] = '\0';
    }
    close(fd);
}

struct client {
    char data[16384];
    size_t filled;
};

/* Transfers as much as possible without waiting; returns false when the client is done. */
static bool echo(struct pollfd *entry, struct client *client) {
    if (entry->revents & POLLIN) {
        ssize_t n = recv(entry->fd, client->data + client->filled, sizeof client->data - client->filled, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
        if (n > 0) client->filled += (size_t)n;
    } else if (entry->revents & (POLLERR | POLLHUP)) {
        return false;
    }
    if (client->filled > 0) {
        ssize_t n = send(entry->fd, client->data, client->filled, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
        if (n > 0) {
            memmove(client->data, client->data + n, client->filled - (size_t)n);
            client->filled -= (size_t)n;
            tcp_bytes += (unsigned long)n;
        }
    }
    entry->events = (short)((client->filled < sizeof client->data ? POLLIN : 0) | (client->filled > 0 ? POLLOUT : 0));
    return true;
}

static void *serve_echo(void *unused) {
    (void)unused;
    static struct client *clients[MAX_CLIENTS + 1];
    static struct pollfd entries[MAX_CLIENTS + 1];
    nfds_t count = 1;
    int yes = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, MAX_CLIENTS) < 0)
        return anomaly("echo: %s", strerror(errno)), NULL;
    entries[0].fd = listener;
    for (;;) {
        entries[0].events = count <= MAX_CLIENTS ? POLLIN : 0;
        poll(entries, count, -1);
        for (nfds_t i = count; i-- > 1;) {
            if (entries[i].revents == 0 || echo(&entries[i], clients[i])) continue;
            close(entries[i].fd);
            free(clients[i]);
            count--;
            entries[i] = entries[count];
            clients[i] = clients[count];
        }
        int fd = entries[0].revents & POLLIN ? accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
        if (fd >= 0) {
            entries[count] = (struct pollfd){.fd = fd, .events = POLLIN};
            clients[count++] = calloc(1, sizeof(struct client));
        }
        tcp_clients = count - 1;
    }
    return NULL;
}

/* ---------------------------------------------------------------- clocks */

static int open_beat(void) {
    char text[64];
    snprintf(text, sizeof text, "%s", option("beat", ""));
    char *colon = strchr(text, ':');
    if (!colon) return -1;
    *colon = '\0';
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    if (inet_pton(AF_INET, text, &address.sin_addr) != 1) return anomaly("beat: bad address %s", text), -1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* The network is unreachable until the interface exists. */
    while (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) sleep_ns(SECOND_NS / 10);
    return fd;
}

static void beat(int fd, int64_t now) {
    static uint64_t sequence;
    uint64_t numbers[2] = {++sequence, (uint64_t)now}, wire[2];
    for (size_t i = 0; i < 2; i++)
        wire[i] = (uint64_t)htonl((uint32_t)numbers[i]) << 32 | htonl((uint32_t)(numbers[i] >> 32));
    if (send(fd, wire, sizeof wire, MSG_NOSIGNAL) == sizeof wire) beats++;
}

static void *watch_clocks(void *unused) {
    (void)unused;
    int64_t interval = atoll(option("sample_us", "1000")) * 1000;
    if (interval < 50000) interval = 50000;
    int beat_fd = open_beat();
    int64_t monotonic = now_ns(CLOCK_MONOTONIC), wall = now_ns(CLOCK_REALTIME), usual = interval;
    for (;;) {
        sleep_ns(interval);
        int64_t monotonic_now = now_ns(CLOCK_MONOTONIC), wall_now = now_ns(CLOCK_REALTIME);
        int64_t gap = (monotonic_now - monotonic) / 1000;
        if (monotonic_now < monotonic) anomaly("CLOCK_MONOTONIC went back by %lld us", (long long)-gap);
        if (wall_now < wall) anomaly("CLOCK_REALTIME went back by %lld us", (long long)(wall - wall_now) / 1000);
        if (gap > gap_since_report) gap_since_report = gap;
        usual += (gap * 1000 - usual) / 64;
        gap_usual = usual / 1000;
        monotonic = monotonic_now;
        wall = wall_now;
        if (beat_fd >= 0) beat(beat_fd, monotonic_now);
    }
    return NULL;
}

static sigjmp_buf port_fault;

/* Returns the seconds of the RTC, in BCD. */
static unsigned char rtc_seconds(void) {
    outb(0x00, 0x70);
    return inb(0x71);
}

static void on_port_fault(int signal) {
    siglongjmp(port_fault, signal);
}

/*
 * Returns whether this process may use the RTC's ports. QEMU's TCG (7.2, 10.0) does not allow it in a nested guest: it
 * does not read the I/O permission bitmap of a TSS that is marked busy, as that of a KVM guest always is.
 */
static bool open_rtc(void) {
    struct sigaction on_fault = {.sa_handler = on_port_fault}, usual;
    if (ioperm(0x70, 2, 1) < 0) return false;
    sigaction(SIGSEGV, &on_fault, &usual);
    bool faulted = sigsetjmp(port_fault, 1) != 0;
    if (!faulted) rtc_seconds();
    sigaction(SIGSEGV, &usual, NULL);
    return !faulted;
}

/*
 * Returns the time at which the next RTC second begins, on CLOCK_MONOTONIC. If `expected` is given, sleeps until
 * shortly before it, then polls. Negative if the second had begun before the first look, so that its time is unknown.
 */
static int64_t next_edge(int64_t expected, unsigned char *second) {
    const int64_t margin = 25000000, poll_ns = 50000;
    int64_t before = now_ns(CLOCK_MONOTONIC);
    bool looked = false;
    if (expected - margin > before) sleep_ns(expected - margin - before);
    for (;;) {
        unsigned char seen = rtc_seconds();
        int64_t now = now_ns(CLOCK_MONOTONIC);
        if (seen != *second) {
            *second = seen;
            stopped_resolution = (now - before) / 1000;
            return looked ? now : -1;
        }
        looked = true;
        before = now;
        sleep_ns(poll_ns);
    }
}

static void *watch_host_clock(void *unused) {
    (void)unused;
    enum { KEPT = 8 };
    int64_t phases[KEPT];
    size_t kept = 0;
    int settling = KEPT;
    int64_t seconds = 0, edge = -1;
    if (!open_rtc()) return NULL;
    unsigned char second = rtc_seconds();
    for (;;) {
        unsigned char previous = second;
        edge = next_edge(edge < 0 ? 0 : edge + SECOND_NS, &second);
        /* The register is BCD. A stop of a minute or more would wrap around; no refresh may take that long. */
        int passed = (second >> 4) * 10 + (second & 15) - (previous >> 4) * 10 - (previous & 15);
        seconds += passed > 0 ? passed : passed + 60;
        if (edge < 0) continue;
        /* Looks are only ever late, so the earliest of the last few phases is the right one. */
        int64_t phase = edge - seconds * SECOND_NS, reference = kept > 0 ? INT64_MAX : phase;
        for (size_t i = 0; i < kept; i++) reference = phases[i] < reference ? phases[i] : reference;
        int64_t lost = (reference - phase) / 1000;
        /* In a busy boot, the first looks may all be late. */
        if (settling > 0) settling--;
        else if (lost > 0) {
            stopped_since_report += lost;
            stopped_total += lost;
        }
        if (lost > 100 && kept > 0) kept = 0;
        memmove(phases + 1, phases, (KEPT - 1) * sizeof phases[0]);
        phases[0] = phase;
        if (kept < KEPT) kept++;
    }
    return NULL;
}

/* ---------------------------------------------------------------- report */

struct text {
    char data[4096];
    size_t length;
};

static __attribute__((format(printf, 2, 3))) void append(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(text->data + text->length, sizeof text->data - text->length, format, arguments);
    va_end(arguments);
    if (n > 0 && (size_t)n < sizeof text->data - text->length) text->length += (size_t)n;
}

static void report(void) {
    static unsigned long sequence;
    struct text line = {.length = 0};
    const char *comma = "";
    long gap = atomic_exchange(&gap_since_report, 0);
    if (sequence > 0 && gap > gap_longest) gap_longest = gap;
    append(&line, "{\"canary\":1,\"up_ms\":%lld,\"seq\":%lu", (long long)now_ns(CLOCK_BOOTTIME) / 1000000, ++sequence);
    append(&line, ",\"pages\":%lu,\"pages_verified\":%lu,\"page_walks\":%lu,\"disks\":[", pages_filled, pages_verified,
           page_walks);
    for (size_t i = 0; i < MAX_DISKS; i++) {
        if (!disks[i].used || disks[i].gone) continue;
        append(&line, "%s{\"name\":\"%s\",\"records\":%lu,\"verified\":%lu%s}", comma, disks[i].name, disks[i].records,
               disks[i].verified, disks[i].foreign ? ",\"foreign\":true" : "");
        comma = ",";
    }
    append(&line, "],\"nets\":[");
    for (size_t i = 0; i < net_count; i++)
        append(&line, "%s{\"name\":\"%s\",\"ip\":\"%s\"}", i > 0 ? "," : "", nets[i].name, nets[i].address);
    append(&line, "],\"tcp_bytes\":%lu,\"tcp_clients\":%lu,\"beats\":%lu", tcp_bytes, tcp_clients, beats);
    append(&line, ",\"gap_us\":%ld,\"gap_base_us\":%ld,\"gap_max_us\":%ld", gap, gap_usual, gap_longest);
    append(&line, ",\"stopped_us\":%ld,\"stopped_total_us\":%ld,\"stopped_poll_us\":%ld",
           atomic_exchange(&stopped_since_report, 0), stopped_total, stopped_resolution);
    pthread_mutex_lock(&anomaly_lock);
    append(&line, ",\"anomalies\":%lu,\"anomaly\":\"%s\"}\n", anomaly_count, anomaly_text);
    pthread_mutex_unlock(&anomaly_lock);
    for (size_t done = 0; done < line.length;) {
        ssize_t n = write(port, line.data + done, line.length - done);
        if (n < 0 && errno != EINTR && errno != EAGAIN) return;
        if (n > 0) done += (size_t)n;
    }
}

static void commit_fault(const char *fault) {
    if (strcmp(fault, "memory") == 0) fault_memory = true;
    else if (strcmp(fault, "disk") == 0) fault_disk = true;
    else if (strcmp(fault, "clock") == 0) {
        int64_t past = now_ns(CLOCK_REALTIME) - 2 * SECOND_NS;
        struct timespec time = {.tv_sec = past / SECOND_NS, .tv_nsec = past % SECOND_NS};
        clock_settime(CLOCK_REALTIME, &time);
    } else anomaly("unknown canary.fault=%s", fault);
}

/* ---------------------------------------------------------------- boot */

static void *read_commands(void *unused) {
    (void)unused;
    char line[128];
    for (;;) {
        ssize_t n = read(control, line, sizeof line - 1);
        if (n <= 0) {
            sleep_ns(SECOND_NS);
            continue;
        }
        line[n] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        if (strcmp(line, "poweroff") == 0) power_off();
        if (strcmp(line, "report") == 0) eventfd_write(wake_reporter, 1);
    }
    return NULL;
}

/* A virtio console appears some time after its driver. */
static int open_port(const char *name) {
    struct termios settings;
    char path[80];
    int fd;
    snprintf(path, sizeof path, "/dev/%s", name);
    for (int tries = 100; (fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0; tries--) {
        if (tries == 0) power_off();
        sleep_ns(SECOND_NS / 20);
    }
    tcgetattr(fd, &settings);
    settings.c_oflag &= ~(tcflag_t)OPOST;
    settings.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    settings.c_iflag |= ICRNL;
    tcsetattr(fd, TCSANOW, &settings);
    return fd;
}

static void load_modules(void) {
    char name[128], path[160];
    FILE *order = fopen("/modules/order", "re");
    while (order && fgets(name, sizeof name, order)) {
        name[strcspn(name, "\n")] = '\0';
        snprintf(path, sizeof path, "/modules/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) < 0) anomaly("module %s: %s", name, strerror(errno));
        if (fd >= 0) close(fd);
    }
    if (order) fclose(order);
}

/* Keeps QEMU's monitors busy with events. */
static void *cry_wolf(void *unused) {
    enum { PVPANIC_PORT = 0x505, CRASH_LOADED = 2, BURST = 20 };
    int64_t bursts_per_second = atoi(option("events", "0")) / BURST + 1;
    (void)unused;
    if (ioperm(PVPANIC_PORT, 1, 1) < 0) anomaly("pvpanic: %s", strerror(errno));
    else
        for (;;) {
            for (unsigned i = 0; i < BURST; i++) outb(CRASH_LOADED, PVPANIC_PORT);
            sleep_ns(SECOND_NS / bursts_per_second);
        }
    return NULL;
}

static void read_command_line(void) {
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, command_line, sizeof command_line - 1);
    command_line[n > 0 ? n : 0] = '\0';
    close(fd);
}

int main(void) {
    mkdir("/proc", 0755), mount("proc", "/proc", "proc", 0, NULL);
    mkdir("/sys", 0755), mount("sysfs", "/sys", "sysfs", 0, NULL);
    mkdir("/dev", 0755), mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    wake_reporter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    read_command_line();
    getrandom(&boot_id, sizeof boot_id, GRND_INSECURE);
    load_modules();
    port = open_port(option("port", "ttyS0"));
    const char *other = option("control", NULL);
    control = other ? open_port(other) : port;
    bool use_disks = strcmp(option("disk", "auto"), "none") != 0;
    const char *fault = option("fault", NULL);
    int reports = atoi(option("reports", "1"));
    const int64_t interval = SECOND_NS / (reports > 0 ? reports : 1);
    int64_t fault_at = now_ns(CLOCK_MONOTONIC) + atoll(option("fault_after", "5")) * SECOND_NS;

    look_for_nets();
    start(watch_clocks, NULL, 90);
    start(watch_host_clock, NULL, 80);
    start(watch_memory, NULL, 0);
    start(serve_echo, NULL, 0);
    start(read_commands, NULL, 0);
    if (option("events", NULL)) start(cry_wolf, NULL, 0);
    for (int64_t next = now_ns(CLOCK_MONOTONIC);;) {
        int64_t now = now_ns(CLOCK_MONOTONIC);
        eventfd_t unused;
        if (now >= next) {
            if (use_disks) look_for_disks();
            look_for_nets();
            next = now + interval;
        }
        if (fault && now >= fault_at) commit_fault(fault), fault = NULL;
        report();
        struct pollfd woken = {.fd = wake_reporter, .events = POLLIN};
        int64_t left = next - now_ns(CLOCK_MONOTONIC);
        /* If QEMU was stopped just before this, the remaining time is negative; poll would wait forever. */
        poll(&woken, 1, left > 0 ? (int)(left / 1000000) + 1 : 0);
        eventfd_read(wake_reporter, &unused);
    }
}
