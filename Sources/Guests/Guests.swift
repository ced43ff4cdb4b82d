// Guests
