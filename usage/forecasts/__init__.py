"""Where counts will stand when their period ends: learnt from days that are over, asked by pages and by the flush."""
