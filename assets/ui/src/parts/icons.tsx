import {
  AppstoreOutlined as AppstoreOutlinedShape,
  ArrowLeftOutlined as ArrowLeftOutlinedShape,
  BarsOutlined as BarsOutlinedShape,
  CheckCircleFilled as CheckCircleFilledShape,
  CheckCircleOutlined as CheckCircleOutlinedShape,
  CheckOutlined as CheckOutlinedShape,
  CloseCircleFilled as CloseCircleFilledShape,
  CompassOutlined as CompassOutlinedShape,
  CopyOutlined as CopyOutlinedShape,
  DashboardOutlined as DashboardOutlinedShape,
  DatabaseOutlined as DatabaseOutlinedShape,
  DeleteOutlined as DeleteOutlinedShape,
  DesktopOutlined as DesktopOutlinedShape,
  DownloadOutlined as DownloadOutlinedShape,
  EditOutlined as EditOutlinedShape,
  GlobalOutlined as GlobalOutlinedShape,
  InboxOutlined as InboxOutlinedShape,
  KeyOutlined as KeyOutlinedShape,
  LeftOutlined as LeftOutlinedShape,
  LogoutOutlined as LogoutOutlinedShape,
  MenuOutlined as MenuOutlinedShape,
  MinusCircleOutlined as MinusCircleOutlinedShape,
  MoreOutlined as MoreOutlinedShape,
  NotificationOutlined as NotificationOutlinedShape,
  PlusOutlined as PlusOutlinedShape,
  PrinterOutlined as PrinterOutlinedShape,
  ReloadOutlined as ReloadOutlinedShape,
  RightOutlined as RightOutlinedShape,
  SafetyOutlined as SafetyOutlinedShape,
  SaveOutlined as SaveOutlinedShape,
  StopFilled as StopFilledShape,
  TeamOutlined as TeamOutlinedShape,
  UploadOutlined as UploadOutlinedShape,
  UserOutlined as UserOutlinedShape,
} from '@ant-design/icons'
import type { ComponentProps, ComponentType } from 'react'

type Shape = ComponentType<ComponentProps<typeof CheckOutlinedShape>>

/** An icon as decoration: the library would read out its English name before the words beside it. */
function quiet(Icon: Shape) {
  return function Quiet(props: ComponentProps<Shape>) {
    return <Icon aria-label={undefined} aria-hidden="true" {...props} />
  }
}

export const AppstoreOutlined = quiet(AppstoreOutlinedShape)
export const ArrowLeftOutlined = quiet(ArrowLeftOutlinedShape)
export const BarsOutlined = quiet(BarsOutlinedShape)
export const CheckCircleFilled = quiet(CheckCircleFilledShape)
export const CheckCircleOutlined = quiet(CheckCircleOutlinedShape)
export const CheckOutlined = quiet(CheckOutlinedShape)
export const CloseCircleFilled = quiet(CloseCircleFilledShape)
export const CompassOutlined = quiet(CompassOutlinedShape)
export const CopyOutlined = quiet(CopyOutlinedShape)
export const DashboardOutlined = quiet(DashboardOutlinedShape)
export const DatabaseOutlined = quiet(DatabaseOutlinedShape)
export const DeleteOutlined = quiet(DeleteOutlinedShape)
export const DesktopOutlined = quiet(DesktopOutlinedShape)
export const DownloadOutlined = quiet(DownloadOutlinedShape)
export const EditOutlined = quiet(EditOutlinedShape)
export const GlobalOutlined = quiet(GlobalOutlinedShape)
export const InboxOutlined = quiet(InboxOutlinedShape)
export const KeyOutlined = quiet(KeyOutlinedShape)
export const LeftOutlined = quiet(LeftOutlinedShape)
export const LogoutOutlined = quiet(LogoutOutlinedShape)
export const MenuOutlined = quiet(MenuOutlinedShape)
export const MinusCircleOutlined = quiet(MinusCircleOutlinedShape)
export const MoreOutlined = quiet(MoreOutlinedShape)
export const NotificationOutlined = quiet(NotificationOutlinedShape)
export const PlusOutlined = quiet(PlusOutlinedShape)
export const PrinterOutlined = quiet(PrinterOutlinedShape)
export const ReloadOutlined = quiet(ReloadOutlinedShape)
export const RightOutlined = quiet(RightOutlinedShape)
export const SafetyOutlined = quiet(SafetyOutlinedShape)
export const SaveOutlined = quiet(SaveOutlinedShape)
export const StopFilled = quiet(StopFilledShape)
export const TeamOutlined = quiet(TeamOutlinedShape)
export const UploadOutlined = quiet(UploadOutlinedShape)
export const UserOutlined = quiet(UserOutlinedShape)
