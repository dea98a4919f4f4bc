from loadtests import page


def test_the_style_goes_into_the_head_and_the_rest_stays():
    tidied = page.tidy("<html><head><title>Locust</title></head><body>x</body></html>")
    assert tidied.startswith("<html><head><title>Threadmill</title>")
    assert "<style>" in tidied.partition("</head>")[0]
    assert tidied.endswith("</head><body>x</body></html>")
