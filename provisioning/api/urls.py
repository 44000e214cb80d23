from django.urls import path

from provisioning.api import views

urlpatterns = [
    path("codes", views.CodesView.as_view(), name="codes"),
    path("confirm", views.ConfirmView.as_view(), name="confirm"),
    path("rotate", views.RotateView.as_view(), name="rotate"),
    path("poll", views.PollView.as_view(), name="poll"),
]
