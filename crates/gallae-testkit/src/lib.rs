//! For applications' own tests: given/when/then, saga and projection harnesses, a fixed clock.
