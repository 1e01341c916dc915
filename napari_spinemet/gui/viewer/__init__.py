"""What all widgets of one viewer share: its layers, its session, jobs, preferences, small parts."""
