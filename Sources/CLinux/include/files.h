#pragma once

#include <stdint.h>

/// Locks the whole file for writing on behalf of this open file (F_OFD_SETLK); EAGAIN if another open file has a lock.
int hf_lock_file(int descriptor);

/// Releases the lock, for every copy of the descriptor.
int hf_unlock_file(int descriptor);

/// Returns 1 if another open file holds a write lock, otherwise 0. Takes no lock.
int hf_file_is_locked(int descriptor);

/// Allocates space without changing the file's size.
int hf_reserve(int descriptor, int64_t offset, int64_t length);

/// Frees the space of a part of the file, which then reads as zeros; the file's size does not change.
int hf_punch_hole(int descriptor, int64_t offset, int64_t length);
