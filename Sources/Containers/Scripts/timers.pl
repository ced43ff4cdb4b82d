# Restarts the periodic timers that restored processes read through a descriptor (timerfd_create(2)), which CRIU 3.17
# stops permanently.
#
#   perl timers.pl FILE     FILE has the ids of stopped processes; starts when a line arrives on standard input
#
# Once such a timer has expired, the kernel restarts it only when it is read; until then it has no time left, and CRIU
# restores a timer without any time left as one that is not armed (CRIU's issue 3162). Timers keep running while
# processes are frozen: when CRIU looks, those with short periods have all expired. This program makes each of them
# expire at once, so that a read succeeds as it would have, and restarts it. It treats a timer that was set to an
# interval without a first expiration in the same way. It uses no modules, because images have none.
<STDIN>;
open my $list, "<", shift or die $!;
for my $process (map { chomp; $_ + 0 } <$list>) {
    opendir my $folder, "/proc/$process/fdinfo" or next;
    for my $number (map { $_ + 0 } grep /^\d+$/, readdir $folder) {
        open my $file, "<", "/proc/$process/fdinfo/$number" or next;
        my $words = join "", <$file>;
        $words =~ /^it_value: \(0, 0\)\nit_interval: \((\d+), (\d+)\)/m && $1 + $2 or next;
        my $period = pack "q4", $1, $2, 0, 1;
        # pidfd_open, pidfd_getfd, timerfd_settime
        my $handle = syscall 434, $process, 0;
        my $timer = $handle < 0 ? -1 : syscall 438, $handle, $number, 0;
        $timer >= 0 && syscall(286, $timer, 0, $period, 0) == 0 or die "a timerfd cannot be set: $!";
    }
}
