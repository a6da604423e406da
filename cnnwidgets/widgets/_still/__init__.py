"""Still pictures of the widgets: what a notebook shows of them where no kernel runs."""
