#pragma once

#include <stdint.h>

/// Locks the whole file for writing, for this open file alone (F_OFD_SETLK); EAGAIN when another one has it.
int hf_lock_file(int descriptor);

/// Gives the lock back, for every copy of the descriptor.
int hf_unlock_file(int descriptor);

/// Whether another open file holds a write lock: 1 or 0. Takes none itself.
int hf_file_is_locked(int descriptor);

/// Sets room aside behind the end of the file, whose size stays as it is.
int hf_reserve(int descriptor, int64_t offset, int64_t length);

/// Gives back what holds a part of the file, which reads as zeros then; its size stays.
int hf_punch_hole(int descriptor, int64_t offset, int64_t length);
